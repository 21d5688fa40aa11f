// Texts as the host has them, in UTF-8. AssemblyScript's own strings are UTF-16: every text that comes from the host or goes
// there would be converted, and the code for that would be a tenth of the module.

import { newBuffer } from "./memory";

/**
 * The address of a text in UTF-8 that ends with a NUL; a NUL of its own is written as C0 80. It keeps nothing in memory:
 * whoever has one holds on to the buffer that it lies in.
 */
export type Text = usize;

/** The empty text: there is nothing at address 0. */
export const NONE: Text = 0;

/** A literal (filter/compat/utf8.ts). */
export declare function utf8(literal: string): Text;

export function isEmpty(text: Text): bool {
  return load<u8>(text) == 0;
}

/** In bytes, without the NUL. */
export function sizeOf(text: Text): i32 {
  let end = text;
  while (load<u8>(end) != 0) end++;
  return <i32>(end - text);
}

/** All of a buffer, which ends with a NUL; empty where there is none. */
export function textIn(buffer: ArrayBuffer | null): Text {
  return changetype<usize>(buffer);
}

export function copyOf(text: Text): ArrayBuffer {
  const size = sizeOf(text) + 1;
  const buffer = newBuffer(size);
  memory.copy(textIn(buffer), text, size);
  return buffer;
}

export function isSame(a: Text, b: Text): bool {
  while (load<u8>(a) == load<u8>(b)) {
    if (load<u8>(a) == 0) return true;
    a++;
    b++;
  }
  return false;
}

/** The end of so many characters, if the text has them, else its own. */
export function endOf(characters: i32, text: Text): usize {
  while (load<u8>(text) != 0 && (characters -= unitsOf(load<u8>(text))) >= 0) text++;
  return text;
}

/** UTF-16 code units of a character, told by one of its bytes in UTF-8: by the first for all of it, by the others 0. */
export function unitsOf(byte: i32): i32 {
  return (byte & 0xc0) == 0x80 ? 0 : byte < 0xf0 ? 1 : 2;
}

export function isControl(byte: i32): bool {
  return byte < 0x20 || byte == 0x7f || byte == 0xc0; // C0: see Text
}
