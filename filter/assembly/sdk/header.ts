import { proxy_replace_header_map_value } from "@solo-io/proxy-runtime/assembly/imports";
import { HeaderMap } from "./abi";
import { Line, scratch } from "./line";
import { isControl, NONE, sizeOf, Text, unitsOf, utf8 } from "./text";

/**
 * Headers, encoded once and given to the host as they are with each request. Names and values are fit to be sent: see
 * `nameProblem` and `valueProblem`.
 */
export class Headers {
  /** Of each, the lengths of name and value. */
  private sizes: Line = new Line();
  /** Of each, name and value. */
  private texts: Line = new Line();

  constructor() {}

  get count(): u32 {
    return this.sizes.size >> 3;
  }

  add(name: Text, value: Text): Headers {
    this.sizes.addU32(sizeOf(name)).addU32(sizeOf(value));
    this.texts.addText(name).addText(value);
    return this;
  }

  clear(): void {
    this.sizes.clear();
    this.texts.clear();
  }

  /** On the current stream's response, in place of those of the same names. */
  putOnResponse(): void {
    this.put(HeaderMap.Response);
  }

  /** On the current stream's request, in place of those of the same names. */
  putOnRequest(): void {
    this.put(HeaderMap.Request);
  }

  /** All of them in the form that the host reads: how many, their lengths, their texts. */
  pairs(): Line {
    const pairs = new Line().addU32(this.count).addBytes(this.sizes.start, this.sizes.size);
    return pairs.addBytes(this.texts.start, this.texts.size);
  }

  // @ts-ignore: decorator
  @inline
  private put(map: HeaderMap): void {
    let at = this.sizes.start;
    const end = at + this.sizes.size;
    let name = this.texts.start;
    while (at < end) {
      const nameSize = load<u32>(at);
      const valueSize = load<u32>(at, 4);
      const value = name + nameSize + 1;
      proxy_replace_header_map_value(map, name, nameSize, value, valueSize);
      name = value + valueSize + 1;
      at += 8;
    }
  }
}

/**
 * Why a filter cannot set a header of this name, or NONE: HTTP forbids it (RFC 9110, 5.1: a token), or it is the proxy's.
 * The text is there until the next problem.
 */
export function nameProblem(name: Text): Text {
  if (load<u8>(name) == 0) return utf8("a header's name cannot be empty");
  if (load<u8>(name) == 0x3a /* : */) return utf8("a pseudo header cannot be set");
  let at = name;
  while (isTokenChar(load<u8>(at))) at++;
  if (load<u8>(at) == 0) return isOfConnection(name) ? utf8("it belongs to the connection") : NONE;
  return scratch
    .clear()
    .add(utf8("character # of the name is not allowed in a header's name"), at - name + 1)
    .text();
}

/**
 * Why HTTP forbids this value of a header (RFC 9110, 5.5), or NONE. A tab within it is allowed, and what is not ASCII goes
 * out as UTF-8. The text is there until the next problem.
 */
export function valueProblem(value: Text): Text {
  const end = value + sizeOf(value);
  if (isSpace(load<u8>(value)) || (end > value && isSpace(load<u8>(end - 1)))) {
    return utf8("its value begins or ends with a space");
  }
  let character = 1;
  for (; value < end; value++) {
    const byte = load<u8>(value);
    if (isControl(byte) && byte != 0x09 /* tab */) {
      return scratch.clear().add(utf8("character # of its value is a control character"), character).text();
    }
    character += unitsOf(byte);
  }
  return NONE;
}

/** A to Z in lower case, on the spot. */
export function lowerCase(text: Text): Text {
  for (let at = text; load<u8>(at) != 0; at++) store<u8>(at, lower(load<u8>(at)));
  return text;
}

/** Names that differ in case only are the same header. */
export function isSameName(a: Text, b: Text): bool {
  while (lower(load<u8>(a)) == lower(load<u8>(b))) {
    if (load<u8>(a) == 0) return true;
    a++;
    b++;
  }
  return false;
}

/**
 * Whether it tells where a message ends, or how a connection goes on. With a `content-length` of a filter's, each response
 * breaks off; the others a proxy drops (RFC 9110, 7.6.1; RFC 9113, 8.2.2).
 */
function isOfConnection(name: Text): bool {
  let word = utf8(
    "connection\0content-length\0http2-settings\0keep-alive\0proxy-connection\0te\0trailer\0transfer-encoding\0upgrade\0",
  );
  for (; load<u8>(word) != 0; word += sizeOf(word) + 1) if (isSameName(name, word)) return true;
  return false;
}

function lower(code: u32): u32 {
  return code - 0x41 < 26 ? code | 0x20 : code;
}

function isSpace(code: i32): bool {
  return code == 0x20 || code == 0x09;
}

/** Digits, letters, and !#$%&'*+-.^_`|~ have their bits: of the characters 0 to 63, and of 64 to 127. */
function isTokenChar(code: u32): bool {
  const bits: u64 = code < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe;
  return code < 128 && ((bits >> code) & 1) != 0;
}
