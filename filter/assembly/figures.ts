import { SharedData } from "./sdk/shared-data";

/** What is known about a service's load, the same for all root contexts that share a `vm_id`. */
export class Figures {
  constructor(
    /** When they came, in nanoseconds of the host's clock; 0 when none ever came. */
    readonly at: u64,
    /** Whether it was logged that there are none, or that they are too old. */
    readonly lost: bool,
    /** Why the last poll gave none, or "". */
    readonly failure: string,
    /** The header's text. */
    readonly text: string,
  ) {}
}

/** Where the figures are shared. Of several who change them at once, one succeeds, and only that one has to log it. */
export class SharedFigures {
  private entry: SharedData;

  constructor(key: string) {
    this.entry = new SharedData(key);
  }

  /** Null before the first poll has ended. */
  read(): Figures | null {
    const bytes = this.entry.read();
    if (!bytes) return null;
    const at = changetype<usize>(bytes);
    const failureSize = load<u32>(at, 12);
    const textSize = bytes.byteLength - HEAD - failureSize;
    return new Figures(
      load<u64>(at),
      load<u32>(at, 8) != 0,
      String.UTF8.decodeUnsafe(at + HEAD, failureSize),
      String.UTF8.decodeUnsafe(at + HEAD + failureSize, textSize),
    );
  }

  /** Replaces what `read` gave; false when somebody else has. */
  replace(figures: Figures): bool {
    const failure = String.UTF8.encode(figures.failure);
    const text = String.UTF8.encode(figures.text);
    const bytes = new ArrayBuffer(HEAD + failure.byteLength + text.byteLength);
    const at = changetype<usize>(bytes);
    store<u64>(at, figures.at);
    store<u32>(at, figures.lost ? 1 : 0, 8);
    store<u32>(at, failure.byteLength, 12);
    memory.copy(at + HEAD, changetype<usize>(failure), failure.byteLength);
    memory.copy(at + HEAD + failure.byteLength, changetype<usize>(text), text.byteLength);
    return this.entry.write(bytes);
  }
}

/** Bytes before the texts: time (8), lost (4), the failure's length (4). */
const HEAD = 16;
