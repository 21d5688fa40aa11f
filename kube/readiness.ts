/** Waits until something in a cluster is in force: one loop and one report for every mesh. */
import { UserError } from "../lib/errors.ts";
import { NotYet, poll } from "../lib/poll.ts";
import { advice, type Known } from "./advice.ts";

/** The result of one check. */
export type Look<T> = { state: "ready"; found: T } | Waiting | Failing;

export interface Waiting {
  state: "waiting";
  why: string;
  /** Time limit in milliseconds, if it differs from the general one. */
  limitMs?: number;
}

/** It is rejected, or fails. It may still succeed, but it gets less time than something that is only late. */
export interface Failing {
  state: "failing";
  why: string;
  /** First line of the error; may have several lines. Default: the subject's name, and `why`. */
  headline?: string;
  /** Log lines about it, used for advice; the newest last. */
  said?: string[];
  /** Number of tries, including the first; see `tryAgain`. Default: 1. */
  tries?: number;
  /** Milliseconds that the failure may last. Default: 0. */
  graceMs?: number;
}

export interface Subject<T> {
  /** For users: `policy default/route-one`. */
  name: string;
  look(): Promise<Look<T>>;
  /** Log lines for the report, by title; the newest last. */
  logs(): Promise<Record<string, string[]>>;
  /** Messages that only this mesh has, and what to do about them. */
  known?: Known[];
  /** The kubectl command for this cluster. */
  kubectl: string;
  /** Makes the control plane, or the proxy, retry. */
  tryAgain?(): Promise<void>;
  /** Milliseconds until the next try, by the number of tries so far. */
  untilNextTry?(tries: number): number;
  /** The error after the time limit. Default: that it is not in force, and why. */
  late?(why: string, seconds: number): string;
}

/** @throws UserError with the last result, the log lines about it, and what to do */
export async function waitUntilReady<T>(
  subject: Subject<T>,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<T> {
  const { name, late = (why, seconds) => `${name} is not in force after ${seconds} s: ${why}` } = subject;
  const patience = new Patience(subject);
  const look = async () => {
    const seen = await subject.look();
    if (seen.state === "ready") return seen.found;
    if (seen.state === "waiting") patience.reset();
    else if (!(await patience.lasts(seen)))
      throw await reported(subject, seen.headline ?? `${name}: ${seen.why}`, seen.said);
    return new NotYet(seen.why, seen.state === "waiting" ? seen.limitMs : undefined);
  };
  return poll(look, {
    timeoutMs,
    signal,
    cancelled: `${name}: cancelled before it was in force`,
    late: async ({ why, limitMs }) => {
      throw await reported(subject, late(why, limitMs / 1000));
    },
  });
}

/** Limits how long a failure is tolerated. */
class Patience {
  readonly #subject: Pick<Subject<unknown>, "tryAgain" | "untilNextTry">;
  #tries = 1;
  #nextTry: number;
  #since: number | undefined;

  constructor(subject: Pick<Subject<unknown>, "tryAgain" | "untilNextTry">) {
    this.#subject = subject;
    this.#nextTry = Date.now() + (subject.untilNextTry?.(0) ?? 0);
  }

  /** Called when the subject does not fail at the moment. */
  reset(): void {
    this.#since = undefined;
  }

  async lasts({ tries = 1, graceMs = 0 }: Failing): Promise<boolean> {
    this.#since ??= Date.now();
    if (Date.now() < this.#nextTry || Date.now() - this.#since < graceMs) return true;
    if (this.#tries >= tries) return false;
    await this.#subject.tryAgain?.();
    this.#tries += 1;
    this.#nextTry = Date.now() + (this.#subject.untilNextTry?.(this.#tries) ?? 0);
    return true;
  }
}

/** Adds log lines to the error, as they tell why. If the logs cannot be read, the rest is reported without them. */
async function reported<T>(
  { logs, known, kubectl }: Subject<T>,
  headline: string,
  said: string[] = [],
): Promise<UserError> {
  const lines = await logs().catch((): Record<string, string[]> => ({}));
  const todo = advice([...Object.values(lines).flat(), ...said], known);
  return new UserError(report(headline, lines, todo.replaceAll("KUBECTL", kubectl)));
}

/** A headline, log lines below their titles, and what to do. */
export function report(headline: string, logs: Record<string, string[]>, todo = ""): string {
  const parts = Object.entries(logs).flatMap(([title, lines]) =>
    lines.length > 0 ? [`  ${title}:`, ...lines.slice(-8).map((line) => `    ${line}`)] : [],
  );
  return [headline, ...parts, ...(todo ? [`  ${todo}`] : [])].join("\n");
}
