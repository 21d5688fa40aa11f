/** A clock that stands still until it is moved; what is due happens while it moves, in order of time. */
export class Clock {
  #now: number;
  #started: number;
  #sequence = 0;
  #due: { at: number; sequence: number; run: () => void }[] = [];

  /** @param now milliseconds since 1970 */
  constructor(now: number = Date.now()) {
    this.#now = now;
    this.#started = now;
  }

  get now(): number {
    return this.#now;
  }

  get nowNanoseconds(): bigint {
    return BigInt(Math.round(this.#now * 1000)) * 1000n;
  }

  /** Since the clock was made, like a monotonic clock. */
  get elapsedNanoseconds(): bigint {
    return BigInt(Math.round((this.#now - this.#started) * 1000)) * 1000n;
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
    this.#now = end;
  }
}
