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
    // From its beginning: a filter that logs without end may have said thousands of lines since.
    api.log(pod.metadata, { container, since: time, mostBytes: 8 * 1024 * 1024 }),
  ]);
  return { before: parse(withoutLater(all, since)), since: parse(since) };
}

/** What of a log's end is from before `later` begins. Either may have lines that the other does not reach to. */
export function withoutLater(log: string, later: string): string {
  if (later === "") return log;
  const start = log.indexOf(later.slice(0, 2000));
  return start < 0 ? "" : log.slice(0, start);
}

/** Those of several containers: each line once. */
export function together(all: Complaints[]): Complaints {
  return {
    before: [...new Set(all.flatMap(({ before }) => before))],
    since: [...new Set(all.flatMap(({ since }) => since))],
  };
}
