/** A step from this machine to a header on a response. */
import { messageOf } from "../../lib/errors.ts";
import { prove } from "../../provider/proof.ts";
import type { FilterReadyInputs } from "../../provider/types.ts";
import type { KubeApi } from "../api.ts";

export interface DiagnosedFilter {
  name: string;
  /** sha256 of module or script, hex. */
  digest: string;
  /** Where a request shows it, and what it shows; none where no route leads to it. */
  url?: string;
  headers?: Record<string, string>;
  expect: Record<string, string>;
  /** Which of these are secret: they are not to be shown. */
  secret?: string[];
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

export const up = "npm start -- STACK makes what is missing (STACK: this stack's name)";

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
export async function request(
  { name, digest, url, headers, expect, secret }: DiagnosedFilter,
  lines: () => Promise<string[]>,
): Promise<string> {
  if (url === undefined) return "no route leads to it";
  try {
    const { status, seen } = await prove(
      { filter: name, url, headers, expect, digest, timeoutMs: 2000 },
      undefined,
      new Set(secret),
    );
    const what = Object.entries(seen).map(([header, value]) => `${header}: ${value}`);
    return [`GET ${url} → ${status}`, ...what].join("  ");
  } catch (error) {
    throw new Broken(
      [messageOf(error), ...(await lines())].join("\n"),
      "the last lines are the proxy's and its control plane's own",
    );
  }
}
