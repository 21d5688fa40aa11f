import { messageOf } from "../lib/errors.ts";
import { Broken, Unjudged } from "../lib/steps.ts";
import { isAskable, proveInWords, type ShownFilter } from "./output.ts";

/**
 * A step of a diagnosis: a request that shows a filter.
 * @param lines what else is said where it does not
 */
export async function requestStep(filter: ShownFilter, lines: () => Promise<string[]>): Promise<string | Unjudged> {
  try {
    const detail = await proveInWords(filter, 3_000);
    return filter.url === undefined || isAskable(filter) ? detail : new Unjudged(detail);
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
