import { SharedEntry } from "./sdk/shared-data";
import { textIn } from "./sdk/text";

/**
 * Of all root contexts that share a `vm_id`, one holds the lease for a time. If it dies, the lease runs out by itself.
 * Times are nanoseconds of the host's clock.
 */
export class Lease extends SharedEntry {
  /** When this context claimed it last. */
  private since: u64 = 0;

  /** Takes the lease for a time, if nobody has it. */
  claim(now: u64, duration: u64): bool {
    const held = this.get();
    if (held) {
      const at = textIn(held);
      // A clock that was set back must not keep a lease for as long as it was set back.
      if (now >= load<u64>(at) && now < load<u64>(at, 8)) return false;
    }
    this.since = now;
    return this.holdFor(duration);
  }

  /** Makes the time shorter, from its beginning, if this context still holds the lease. */
  endAfter(duration: u64): void {
    const held = this.get();
    if (held && load<u64>(textIn(held)) == this.since) this.holdFor(duration);
  }

  private holdFor(duration: u64): bool {
    store<u64>(lease, this.since);
    store<u64>(lease, this.since + duration, 8);
    return this.set(lease, 16);
  }
}

/** When it was taken, and when it ends. */
const lease = memory.data(16);
