import { z } from "zod";
import { UserError } from "../../../../lib/errors.ts";
import type { RunningMesh } from "../../inspector.ts";
import type { WantedFilter } from "./ready.ts";

/** The stack's output `proxies`, as this mesh gives it: by filter, what its proxies are asked for. */
const output = z.object({
  filters: z.record(
    z.string(),
    z.object({
      namespace: z.string(),
      selector: z.record(z.string(), z.string()),
      envoyName: z.string(),
      digest: z.string(),
    }),
  ),
});

/** @throws UserError where an older meshup has brought the stack up, which left no such output */
export function wantedOf({ proxies }: Pick<RunningMesh, "proxies">, filter: string): WantedFilter {
  const result = output.safeParse(proxies);
  const wanted = result.success ? result.data.filters[filter] : undefined;
  if (!wanted) throw new UserError(`The stack's output \`proxies\` does not have ${filter}: npm start writes it anew.`);
  return wanted;
}
