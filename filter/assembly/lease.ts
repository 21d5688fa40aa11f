import { SharedData } from "./sdk/shared-data";

/**
 * One holder among all root contexts that share a `vm_id`, for a time. Whoever dies with it holds nobody up: it runs out.
 * Times are nanoseconds of the host's clock.
 */
export class Lease {
  private entry: SharedData;
  private since: u64 = 0;

  constructor(key: string) {
    this.entry = new SharedData(key);
  }

  /** Takes the lease from `now` until `until` if nobody has it. */
  claim(now: u64, until: u64): bool {
    const held = this.entry.read();
    // A clock that was set back must not keep a lease for as long as it was set back.
    if (held && now >= sinceOf(held) && now < untilOf(held)) return false;
    this.since = now;
    return this.entry.write(encode(now, until));
  }

  /** Moves the end of the lease that this context has claimed, if it still holds it. */
  endAt(until: u64): void {
    const held = this.entry.read();
    if (held && sinceOf(held) == this.since) this.entry.write(encode(this.since, until));
  }

  /** When this context claimed it last. */
  claimedAt(): u64 {
    return this.since;
  }
}

function encode(since: u64, until: u64): ArrayBuffer {
  const bytes = new ArrayBuffer(16);
  store<u64>(changetype<usize>(bytes), since);
  store<u64>(changetype<usize>(bytes), until, 8);
  return bytes;
}

function sinceOf(lease: ArrayBuffer): u64 {
  return load<u64>(changetype<usize>(lease));
}

function untilOf(lease: ArrayBuffer): u64 {
  return load<u64>(changetype<usize>(lease), 8);
}
