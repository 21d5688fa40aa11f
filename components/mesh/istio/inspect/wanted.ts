import { z } from "zod";
import { UserError } from "../../../../lib/errors.ts";
import type { RunningMesh } from "../../inspector.ts";
import { namespace } from "../../manifest.ts";
import { gatewayNamespace } from "../names.ts";
import type { PodPlace } from "./proxies.ts";
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

/** Where filters are in sidecars of other namespaces: the pods of a Service that somebody else has made. */
export function elsewhere({ proxies }: Pick<RunningMesh, "proxies">): PodPlace[] {
  const result = output.safeParse(proxies);
  const places = result.success ? Object.values(result.data.filters) : [];
  const others = places.filter((place) => ![namespace, gatewayNamespace].includes(place.namespace));
  return [
    ...new Map(
      others.map(({ namespace, selector }) => [JSON.stringify([namespace, selector]), { namespace, selector }]),
    ).values(),
  ];
}

/** @throws UserError where an older meshup has brought the stack up, which left no such output */
export function wantedOf({ proxies }: Pick<RunningMesh, "proxies">, filter: string): WantedFilter {
  const result = output.safeParse(proxies);
  const wanted = result.success ? result.data.filters[filter] : undefined;
  if (!wanted) throw new UserError(`The stack's output \`proxies\` does not have ${filter}: npm start writes it anew.`);
  return wanted;
}
