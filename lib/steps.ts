/** Steps of a diagnosis, such as from this machine to a header on a response. */
import { messageOf } from "./errors.ts";

export interface Step {
  name: string;
  /** undefined: not looked at, since a step before it is broken. */
  ok?: boolean;
  /** What was seen, in one line or a few. */
  detail: string;
  /** How to mend it, in one line. */
  mend?: string;
}

/** A broken step: what was seen, and how to mend it. */
export class Broken extends Error {
  readonly mend: string;

  constructor(detail: string, mend: string) {
    super(detail);
    this.mend = mend;
  }
}

/** In what is advised, `STACK` stands for the stack's name, and `KUBECTL` for kubectl with the cluster's own kubeconfig. */
export const up = "`npm start -- STACK` makes what is missing";

export interface Names {
  stack: string;
  /** How kubectl is called for the stack's cluster. */
  kubectl: string;
}

/** What is advised, for one stack. */
export function advised(step: Step, names: Names): Step {
  return step.mend === undefined ? step : { ...step, mend: named(step.mend, names) };
}

export function named(advice: string, { stack, kubectl }: Names): string {
  return advice.replaceAll("STACK", stack).replaceAll("KUBECTL", kubectl);
}

/** What was seen, and neither shows that a step holds nor that it is broken. */
export class Unjudged {
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
  }
}

/** Looks at one step, unless one that it needs is broken. @param look what it sees, or throws */
export type Check = (name: string, needs: string[], look: () => Promise<string | Unjudged>) => Promise<void>;

/** Steps in order. What a broken one leaves unknown is not looked at; what is independent of it is. */
export class Steps {
  readonly all: Step[] = [];
  readonly #broken = new Set<string>();

  readonly check: Check = async (name, needs, look) => {
    const missing = needs.find((need) => this.#broken.has(need));
    if (missing) {
      this.#broken.add(name);
      this.all.push({ name, detail: `not looked at: ${missing} is broken` });
      return;
    }
    try {
      const seen = await look();
      this.all.push(seen instanceof Unjudged ? { name, detail: seen.detail } : { name, ok: true, detail: seen });
    } catch (error) {
      this.#broken.add(name);
      this.all.push({ name, ok: false, detail: messageOf(error), mend: error instanceof Broken ? error.mend : up });
    }
  };
}
