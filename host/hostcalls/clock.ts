/** Where the monotonic clock starts, as Go's runtime takes zero for a broken clock. */
const monotonicStartNs = 1_000_000_000n;

/** So many readings in one call look like a module that waits for time to pass (Go's `time.Sleep` does). */
const readingsOfAWait = 10_000;

/**
 * A clock that stands still until it is moved; what is due happens while it moves, in order of time. Its monotonic
 * reading starts at one second and grows by one nanosecond with each reading as well.
 */
export class Clock {
  #now: number;
  #started: number;
  #sequence = 0;
  #due: { at: number; sequence: number; run: () => void }[] = [];
  #monotonicReadings = 0n;
  #readingsInCall = 0;
  #waitingSince: number | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: number = Date.now()) {
    this.#now = now;
    this.#started = now;
  }

  get now(): number {
    return this.#now;
  }

  /** What a module reads: nanoseconds since 1970. */
  readRealtime(): bigint {
    this.#countReading();
    return nanoseconds(this.#now);
  }

  /** What a module reads: nanoseconds on the monotonic clock. No two readings are the same. */
  readMonotonic(): bigint {
    this.#countReading();
    this.#monotonicReadings++;
    return monotonicStartNs + nanoseconds(this.#now - this.#started) + this.#monotonicReadings - 1n;
  }

  /** The host enters the module. */
  beginCall(): void {
    this.#readingsInCall = 0;
    this.#waitingSince = undefined;
  }

  /** Runs `run` once when `delayMs` have passed; the returned function calls it off. */
  after(delayMs: number, run: () => void): () => void {
    const entry = { at: this.#now + delayMs, sequence: this.#sequence++, run };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (let count = 0; ; count++) {
      const next = this.#due
        .filter((entry) => entry.at <= end)
        .sort((a, b) => a.at - b.at || a.sequence - b.sequence)[0];
      if (!next) break;
      // A module that answers each response with a call that is answered at once would never let time pass.
      if (count > 100_000) throw new Error(`more than 100 000 events within ${ms} ms of the test clock`);
      this.#due = this.#due.filter((entry) => entry !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** A module that reads the clock again and again waits for time to pass: from then on it passes as on this machine. */
  #countReading(): void {
    if (++this.#readingsInCall < readingsOfAWait) return;
    const machine = performance.now();
    this.#now += machine - (this.#waitingSince ?? machine);
    this.#waitingSince = machine;
  }
}

function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1000)) * 1000n;
}
