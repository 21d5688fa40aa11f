import type { KubeApi } from "./api.ts";
import type { Pod } from "./pods.ts";

export interface Complaints {
  /** Each line occurs once. */
  before: string[];
  since: string[];
}

/**
 * The error lines in a container's log, before `time` (RFC 3339) and since. Without a time, all of them count as since.
 * @param parse selects the error lines of a log
 */
export async function complaintsOf(
  api: KubeApi,
  { pod, container }: { pod: Pod; container: string },
  parse: (log: string) => string[],
  time?: string,
): Promise<Complaints> {
  const [all, since] = await Promise.all([
    api.log(pod.metadata, { container, tail: 5000 }),
    // Read from the beginning of this part: a filter that logs continuously may have written thousands of lines since.
    api.log(pod.metadata, { container, since: time, mostBytes: 8 * 1024 * 1024 }),
  ]);
  return { before: parse(withoutLater(all, since)), since: parse(since) };
}

/**
 * The lines of a log's end that were written before `later` begins. Each of the two logs may have lines that the other
 * one lacks.
 */
export function withoutLater(log: string, later: string): string {
  if (later === "") return log;
  const start = log.indexOf(later.slice(0, 2000));
  return start < 0 ? "" : log.slice(0, start);
}

/** Joins the lines of several containers. Each line occurs once. */
export function together(all: Complaints[]): Complaints {
  return {
    before: [...new Set(all.flatMap(({ before }) => before))],
    since: [...new Set(all.flatMap(({ since }) => since))],
  };
}
