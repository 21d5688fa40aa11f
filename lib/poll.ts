import { setTimeout as sleep } from "node:timers/promises";

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

export interface PollOptions {
  /** Milliseconds for all looks together. */
  timeoutMs: number;
  /** Milliseconds between the first two looks; each pause is half as long again, up to `mostMs`. Default: 50. */
  firstMs?: number;
  /** Default: 1000. The same as `firstMs`: an even pace. */
  mostMs?: number;
  /** Ends the wait with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Looks again and again until there is something to be had: the one loop of its kind.
 * @param look at least once; what it throws ends the wait
 * @throws OutOfTime, or the signal's reason
 */
export async function poll<T>(look: () => Promise<T | NotYet> | T | NotYet, options: PollOptions): Promise<T> {
  const { timeoutMs, firstMs = 50, mostMs = 1000, signal } = options;
  const began = performance.now();
  for (let pause = firstMs; ; pause = Math.min(pause * 1.5, mostMs)) {
    const found = await look();
    if (!(found instanceof NotYet)) return found;
    signal?.throwIfAborted();
    const limitMs = found.limitMs ?? timeoutMs;
    if (performance.now() + pause - began > limitMs) throw new OutOfTime(found.why, limitMs);
    await sleep(pause, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}
