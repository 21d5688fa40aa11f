import type { KubeApi } from "./api.ts";
import type { Pod } from "./pods.ts";

export interface Complaints {
  /** Each line once. */
  before: string[];
  since: string[];
}

/**
 * What a container's log has of complaints, before `time` (RFC 3339) and since; without a time, all counts as since.
 * @param parse the lines of a log that are complaints
 */
export async function complaintsOf(
  api: KubeApi,
  { pod, container }: { pod: Pod; container: string },
  parse: (log: string) => string[],
  time?: string,
): Promise<Complaints> {
  const [all, since] = await Promise.all([
    api.log(pod.metadata, { container, tail: 5000 }),
    api.log(pod.metadata, { container, since: time, tail: 5000 }),
  ]);
  const before = all.endsWith(since) ? all.slice(0, all.length - since.length) : all;
  return { before: parse(before), since: parse(since) };
}

/** Those of several containers: each line once. */
export function together(all: Complaints[]): Complaints {
  return {
    before: [...new Set(all.flatMap(({ before }) => before))],
    since: [...new Set(all.flatMap(({ since }) => since))],
  };
}
