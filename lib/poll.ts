import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./errors.ts";

/** What a look has found that is not there yet: why, for people. */
export class NotYet {
  readonly why: string;
  /** Milliseconds that this may take in all, where that is another time than for the rest. */
  readonly limitMs: number | undefined;

  constructor(why: string, limitMs?: number) {
    this.why = why;
    this.limitMs = limitMs;
  }
}

/** The time is up. */
export class OutOfTime extends Error {
  /** What the last look has found. */
  readonly why: string;
  readonly limitMs: number;

  constructor(why: string, limitMs: number) {
    super(`not after ${limitMs / 1000} s: ${why}`);
    this.why = why;
    this.limitMs = limitMs;
  }
}

export interface PollOptions<Late = never> {
  /** Milliseconds for all looks together. */
  timeoutMs: number;
  /** Milliseconds from one look to the next. Default: 50, then each pause half as long again, up to 1000. */
  everyMs?: number;
  /** Ends the wait: with the signal's reason, or with a UserError that says `cancelled`. */
  signal?: AbortSignal;
  cancelled?: string;
  /** Is told why it waits, and again when there is another reason. */
  say?(why: string): void;
  /** What to give back, or to throw, when the time is up. Default: OutOfTime is thrown. */
  late?(error: OutOfTime): Late | Promise<Late>;
}

/**
 * Looks again and again until there is something to be had: the one loop of its kind.
 * @param look is called at least once; what it throws ends the wait
 * @throws what `look` and `late` throw, OutOfTime, or that the signal has ended it
 */
export async function poll<T, Late = never>(
  look: () => Promise<T | NotYet> | T | NotYet,
  options: PollOptions<Late>,
): Promise<T | Late> {
  const { timeoutMs, everyMs, signal, cancelled, say, late } = options;
  const began = performance.now();
  let said: string | undefined;
  try {
    for (let pause = everyMs ?? 50; ; pause = everyMs ?? Math.min(pause * 1.5, 1000)) {
      const found = await look();
      if (!(found instanceof NotYet)) return found;
      signal?.throwIfAborted();
      const { why, limitMs = timeoutMs } = found;
      if (performance.now() + pause - began > limitMs) throw new OutOfTime(why, limitMs);
      if (why !== said) say?.(why);
      said = why;
      await sleep(pause, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  } catch (error) {
    if (cancelled !== undefined && signal?.aborted) throw new UserError(cancelled);
    if (late && error instanceof OutOfTime) return late(error);
    throw error;
  }
}

/** Whether a condition comes to hold in time. */
export function holds(
  condition: () => Promise<boolean> | boolean,
  options: Pick<PollOptions, "timeoutMs" | "everyMs">,
): Promise<boolean> {
  return poll(async () => (await condition()) || new NotYet("it does not hold"), { ...options, late: () => false });
}
