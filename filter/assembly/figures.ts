import { Line } from "./sdk/line";
import { SharedEntry } from "./sdk/shared-data";
import { sizeOf, Text, textIn } from "./sdk/text";

/**
 * What is known about a service's load, the same for all root contexts that share a `vm_id`. Of several who change it at
 * once, one succeeds, and only that one has to log it.
 */
export class Figures extends SharedEntry {
  /** What was there at the last look. */
  private bytes: ArrayBuffer | null = null;
  private next: Line = new Line();

  /** Looks at what is there now. @returns false before the first poll has ended */
  refresh(): bool {
    this.bytes = this.get();
    return this.bytes !== null;
  }

  /** When they came, in nanoseconds of the host's clock; 0 when none ever came. */
  get at(): u64 {
    return load<u64>(this.start);
  }

  /** Whether it was logged that there are none, or that they are too old. */
  get lost(): bool {
    return load<bool>(this.start, 8);
  }

  /** Why the last poll gave none, or empty. */
  get failure(): Text {
    return this.start + 9;
  }

  /** The header's text. */
  get text(): Text {
    return this.failure + sizeOf(this.failure) + 1;
  }

  /** Replaces what `refresh` has seen; false when somebody else has. */
  replace(at: u64, lost: bool, failure: Text, text: Text): bool {
    const next = this.next
      .clear()
      .addU32(<u32>at)
      .addU32(<u32>(at >> 32));
    next.addByte(lost);
    next.addText(failure).addText(text);
    return this.set(next.start, next.size);
  }

  private get start(): usize {
    const bytes = this.bytes;
    return bytes ? textIn(bytes) : nothing;
  }
}

/** Before the first poll: the time (8 bytes), lost (1), and two empty texts. */
const nothing = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
