/** A step from this machine to a header on a response. */
import { messageOf } from "../../lib/errors.ts";
import { proveInWords, type ShownFilter } from "../../proof/output.ts";
import type { FilterReadyInputs } from "../../provider/types.ts";
import type { KubeApi } from "../api.ts";

export interface DiagnosedFilter extends ShownFilter {
  /** sha256 of module or script, hex. */
  digest: string;
  /** Its image, where it is delivered by one: below the registry, and the manifest's `sha256:…`. */
  image?: { repository: string; digest: string };
  /** What Istio's proxies are asked for, as the stack's state has it. */
  ready?: FilterReadyInputs;
}

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

/** What is advised, for one stack. */
export function advised(step: Step, { stack, kubectl }: { stack: string; kubectl: string }): Step {
  if (step.mend === undefined) return step;
  return { ...step, mend: step.mend.replaceAll("STACK", stack).replaceAll("KUBECTL", kubectl) };
}

/** In a kind cluster's node there is one that needs nothing else. */
export function kubectlOf({ kubeconfig, kind }: { kubeconfig: string; kind?: string }): string {
  return kind === undefined
    ? `kubectl --kubeconfig ${kubeconfig}`
    : `docker exec ${kind}-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf`;
}

/** Looks at one step, unless one that it needs is broken. @param look what it sees, or throws */
export type Check = (name: string, needs: string[], look: () => Promise<string>) => Promise<void>;

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
      this.all.push({ name, ok: true, detail: await look() });
    } catch (error) {
      this.#broken.add(name);
      this.all.push({ name, ok: false, detail: messageOf(error), mend: error instanceof Broken ? error.mend : up });
    }
  };
}

/** A mesh's own steps, from its control plane to each filter's header. */
export type MeshSteps = (check: Check, api: KubeApi, filters: DiagnosedFilter[]) => Promise<void>;

/** A request that shows a filter; where it does not, what `lines` has is said, too. */
export async function request(filter: DiagnosedFilter, lines: () => Promise<string[]>): Promise<string> {
  try {
    return await proveInWords(filter, 2_000);
  } catch (error) {
    throw new Broken(
      [messageOf(error), ...(await lines())].join("\n"),
      "the last lines above are the proxy's and its control plane's own; `npm run logs -- STACK gateway` has the rest",
    );
  }
}
