import { headerText } from "../../lib/header-text.ts";

/**
 * Bytes that may be text, such as a header's value. UTF-8 is read as such. In what is none, each byte above 7F is the lone
 * surrogate U+DC00 + byte (as Python's `surrogateescape` has it), so that a filter gets back the bytes that there were.
 */

export function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join("");
  }
}

export function bytesOf(text: string): Buffer {
  if (!escaped.test(text)) return Buffer.from(text, "utf8");
  const parts = text.split(escaped).map((part, i) => {
    return i % 2 === 1 ? Buffer.of(part.charCodeAt(0) - 0xdc00) : Buffer.from(part, "utf8");
  });
  return Buffer.concat(parts);
}

/** As a client shows it: what is not UTF-8 is Latin-1. */
export function readable(text: string): string {
  return escaped.test(text) ? headerText(bytesOf(text).toString("latin1")) : text;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** A low surrogate without a high one before it. */
const escaped = /(?<![\ud800-\udbff])([\udc80-\udcff])/;
