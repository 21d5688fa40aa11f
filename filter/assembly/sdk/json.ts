// A strict reader (RFC 8259) of one JSON object. Strings, numbers and booleans of its first level are kept; what is
// nested is checked and skipped, so that its place can be named.
//
// It works where the text lies: a string takes no more bytes in UTF-8, its NUL included, than it took with its escapes
// and quotes.

import { NONE, Text, unitsOf, utf8 } from "./text";

/** One member of the object. Its texts lie in the text that was read. */
export class JsonMember {
  /** The first character of the value, which tells what it is: `"`, `{`, `[`, a digit, `-`, `t`, `f` or `n`. */
  kind: i32 = 0;
  /** A string's characters; for the others, where the value begins. */
  text: Text = NONE;
  /** Where the value begins, in characters from 0. */
  offset: i32 = 0;
  /** Whether a reader of the configuration has asked for it. */
  asked: bool = false;
  /** In the order of the text. */
  next: JsonMember | null = null;

  constructor(readonly name: Text) {}
}

const MAX_DEPTH = 32;
const END: i32 = -1;

/** What is wrong with the text that was read last, or NONE. */
export let problem: Text = 0;
/** Where, in characters from 0. */
export let problemOffset: i32 = 0;

// The one reading that is under way.
let start: usize = 0;
let at: usize = 0;
let end: usize = 0;
/** How many bytes more than characters there are before `at`. */
let surplus: i32 = 0;
let depth: i32 = 0;
/** The member under way. What lies deeper writes to it, too, and is overwritten. */
let member: JsonMember = changetype<JsonMember>(0);

/**
 * Reads a text, which must be one JSON object and nothing else, and changes it. `problem` tells whether it was.
 * @returns the first member
 */
export function readObject(text: usize, size: i32): JsonMember | null {
  start = at = text;
  end = start + size;
  surplus = depth = 0;
  problem = NONE;
  const head = new JsonMember(NONE);
  member = head;
  space();
  if (peek() == 0x7b /* { */) {
    list(0x7d /* } */);
    space();
    if (peek() != END) fail(utf8("nothing may follow the object"));
  } else {
    fail(peek() == END ? utf8("there is no JSON value") : utf8("an object must begin here"));
  }
  return head.next;
}

/** An object's members or an array's items. */
function list(close: i32): void {
  at++;
  space();
  if (take(close)) return;
  do {
    space();
    if (close == 0x7d) {
      const name = string();
      if (depth == 0) {
        const next = new JsonMember(name);
        member.next = next;
        member = next;
      }
      space();
      if (!take(0x3a /* : */)) fail(utf8("':' is missing"));
      space();
    }
    value();
    space();
  } while (take(0x2c /* , */));
  if (!take(close)) fail(close == 0x7d ? utf8("',' or '}' is missing") : utf8("',' or ']' is missing"));
}

function value(): void {
  const offset = here();
  const first = peek();
  let text = at;
  if (first == 0x22 /* " */) {
    text = string();
  } else if (first == 0x7b || first == 0x5b /* [ */) {
    if (++depth > MAX_DEPTH) fail(utf8("values are nested more than 32 deep"));
    else list(first + 2); // the one that closes it
    depth--;
  } else if (first == 0x2d /* - */ || isDigit(first)) {
    number();
  } else if (!word(utf8("true")) && !word(utf8("false")) && !word(utf8("null"))) {
    fail(utf8("a value must begin here"));
  }
  member.kind = first;
  member.text = text;
  member.offset = offset;
}

function string(): Text {
  if (!take(0x22)) {
    fail(utf8("a string must begin here"));
    return NONE;
  }
  const from = at;
  let to = at;
  while (true) {
    const byte = peek();
    if (byte < 0x20) {
      fail(byte == END ? utf8("the string has no end") : utf8("a control character must be escaped"));
      return NONE;
    }
    at++;
    if (byte == 0x22) {
      store<u8>(to, 0);
      return from;
    }
    if (byte == 0x5c /* \ */) {
      to = escape(to);
    } else {
      surplus += 1 - unitsOf(byte);
      store<u8>(to++, byte);
    }
  }
}

/** Writes what the rest of the escape stands for to `to`. @returns the end of it */
function escape(to: usize): usize {
  const from = at - 1;
  const letter = peek();
  at++;
  let what = utf8("there is no such escape");
  if (letter == 0x75 /* u */) {
    what = utf8("half of a surrogate pair");
    let code = hex4();
    if ((code & 0xfc00) == 0xd800 && word(utf8("\\u"))) {
      const low = hex4();
      if ((low & 0xfc00) == 0xdc00) code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
    }
    if (code < 0) what = utf8("\\u needs four hexadecimal digits");
    else if ((code & ~0x7ff) != 0xd800) return encode(code, to);
  } else {
    // Pairs of letter and meaning.
    let known = utf8('""\\\\//b\bf\fn\nr\rt\t');
    while (load<u8>(known) != 0) {
      if (load<u8>(known) == letter) {
        store<u8>(to, load<u8>(known, 1));
        return to + 1;
      }
      known += 2;
    }
  }
  at = from;
  fail(what);
  return to;
}

/** Writes a character in UTF-8, a NUL as C0 80. @returns the end of it */
function encode(code: i32, to: usize): usize {
  const more = code == 0 ? 1 : code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  for (let i = more; i > 0; i--) {
    store<u8>(to + i, 0x80 | (code & 0x3f));
    code >>= 6;
  }
  store<u8>(to, more == 0 ? code : (0xff00 >> (more + 1)) | code);
  return to + more + 1;
}

/** The next four hexadecimal digits, or -1. */
function hex4(): i32 {
  let unit = 0;
  for (let i = 0; i < 4; i++) {
    const code = peek();
    if (!isDigit(code) && <u32>((code | 0x20) - 0x61) > 5) return -1;
    unit = (unit << 4) + (code & 15) + (code >> 6) * 9; // a letter has bit 6, and begins at 1
    at++;
  }
  return unit;
}

function number(): void {
  const from = at;
  take(0x2d);
  if (!take(0x30 /* 0 */)) digits();
  if (take(0x2e /* . */)) digits();
  if ((peek() | 0x20) == 0x65 /* e */) {
    at++;
    if (!take(0x2b /* + */)) take(0x2d);
    digits();
  }
  if (isDigit(peek())) {
    at = from;
    fail(utf8("a number cannot begin with 0"));
  }
}

function digits(): void {
  if (!isDigit(peek())) fail(utf8("a digit is missing"));
  while (isDigit(peek())) at++;
}

function word(text: Text): bool {
  let i = at;
  while (load<u8>(text) != 0) if (i == end || load<u8>(i++) != load<u8>(text++)) return false;
  at = i;
  return true;
}

function space(): void {
  while (take(0x20) || take(0x0a) || take(0x0d) || take(0x09)) {}
}

function peek(): i32 {
  return at < end ? load<u8>(at) : END;
}

function take(byte: i32): bool {
  if (peek() != byte) return false;
  at++;
  return true;
}

function here(): i32 {
  return <i32>(at - start) - surplus;
}

/** The first problem ends the reading: from there on the text looks as if it were over. */
function fail(what: Text): void {
  if (problem == NONE) {
    problem = what;
    problemOffset = here();
  }
  at = end;
}

function isDigit(code: i32): bool {
  return <u32>(code - 0x30) < 10;
}
