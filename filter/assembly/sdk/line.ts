import { newBuffer } from "./memory";
import { isControl, sizeOf, Text, textIn, utf8 } from "./text";

/** A text that is put together piece by piece. */
export class Line {
  private bytes: ArrayBuffer = newBuffer(256);
  size: i32 = 0;

  constructor() {}

  /**
   * Adds `format`. A `%` in it stands for the next argument, a text, and a `#` for the next one as a number. Texts in such
   * places stay on one line: control characters are written as JSON escapes.
   */
  add(format: Text, a: usize = 0, b: usize = 0): Line {
    let byte: u32;
    while ((byte = load<u8>(format++))) {
      if (byte == 0x25 /* % */) {
        this.addEscaped(a);
        a = b;
      } else if (byte == 0x23 /* # */) {
        this.addNumber(<u32>a);
        a = b;
      } else {
        this.addByte(byte);
      }
    }
    return this;
  }

  /** The text as it is, and its NUL. */
  addText(text: Text): Line {
    return this.addBytes(text, sizeOf(text) + 1);
  }

  addBytes(start: usize, size: i32): Line {
    for (let i = 0; i < size; i++) this.addByte(load<u8>(start + i));
    return this;
  }

  /** Four bytes, as the host reads a number. */
  addU32(value: u32): Line {
    for (let i = 0; i < 4; i++) this.addByte(value >> (i << 3));
    return this;
  }

  addByte(byte: u32): void {
    const bytes = this.bytes;
    const size = this.size;
    if (size + 1 == bytes.byteLength) {
      this.bytes = newBuffer(2 * (size + 1));
      memory.copy(textIn(this.bytes), textIn(bytes), size);
    }
    store<u8>(textIn(this.bytes) + size, byte);
    this.size = size + 1;
  }

  /** Where it lies until the next piece is added. */
  get start(): usize {
    return textIn(this.bytes);
  }

  /** What was added so far. */
  text(): Text {
    const text = textIn(this.bytes);
    store<u8>(text + this.size, 0);
    return text;
  }

  clear(): Line {
    this.size = 0;
    return this;
  }

  private addNumber(value: u32): void {
    if (value > 9) this.addNumber(value / 10);
    this.addByte(0x30 + (value % 10));
  }

  private addEscaped(text: Text): void {
    let byte: u32;
    while ((byte = load<u8>(text++))) {
      if (isControl(byte)) {
        if (byte == 0xc0 && load<u8>(text) == 0x80) {
          byte = 0; // see Text
          text++;
        }
        this.add(utf8("\\u00"));
        this.addByte(hexDigit(byte >> 4));
        this.addByte(hexDigit(byte & 15));
      } else {
        this.addByte(byte);
      }
    }
  }
}

/** For a text that is used before the next one is begun. */
export const scratch = new Line();

function hexDigit(value: u32): u32 {
  return value + (value < 10 ? 0x30 : 0x57);
}
