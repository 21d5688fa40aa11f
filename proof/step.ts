import { messageOf } from "../lib/errors.ts";
import { Broken } from "../lib/steps.ts";
import { prove } from "./prove.ts";

/** A filter as the stack's outputs have it, as far as a request needs it. */
interface ShownFilter {
  name: string;
  /** Where a request shows it; none where no route leads to it. */
  url?: string;
  headers?: Record<string, string>;
  expect: Record<string, string>;
  /** Which of these are secret: they are not to be shown. */
  secret?: string[];
}

/**
 * A step of a diagnosis: a request that shows a filter.
 * @param lines what else is said where it does not
 */
export async function requestStep(filter: ShownFilter, lines: () => Promise<string[]>): Promise<string> {
  const { name, url, headers, expect, secret } = filter;
  if (url === undefined) return "no route leads to it";
  try {
    const { status, seen } = await prove(
      { filter: name, url, headers, expect, timeoutMs: 3000 },
      undefined,
      new Set(secret),
    );
    const what = Object.entries(seen).map(([header, value]) => `${header}: ${value}`);
    return [`GET ${url} → ${status}`, ...what].join("  ");
  } catch (error) {
    const said = await lines();
    throw new Broken(
      [messageOf(error), ...said].join("\n"),
      said.length > 0
        ? "the last lines above are the proxy's and its control plane's own; `npm run logs -- STACK gateway` has the rest"
        : "`npm run logs -- STACK` has the filter's own lines",
    );
  }
}
