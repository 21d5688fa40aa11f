import { Headers, isSameName, lowerCase, nameProblem, valueProblem } from "./header";
import { JsonMember, problem, problemOffset, readObject } from "./json";
import { Line } from "./line";
import { decoded, encoded, Header, quoted } from "./strings";
import { isEmpty, isSame, NONE, Text, textIn, utf8 } from "./text";

/**
 * A root's configuration: a JSON object without nested values. Each reader gives the value, or reports what is wrong with
 * it and gives a stand-in, so that one refusal names every problem.
 *
 * Texts that it gives lie in its bytes: who keeps one keeps the configuration, too.
 */
export class Configuration {
  /** What is wrong, in a list. */
  private problems: Line = new Line();
  private readable: bool = true;
  private first: JsonMember | null = null;
  /** The names that a reader has asked for, in a list. */
  private known: Line = new Line();

  /** No bytes are a configuration without a member. */
  constructor(private bytes: ArrayBuffer) {
    if (bytes.byteLength > 1) this.read(textIn(bytes), bytes.byteLength - 1);
  }

  /** Whether the text is a JSON object. */
  isReadable(): bool {
    return this.readable;
  }

  /** Whether nothing was reported so far. */
  isValid(): bool {
    return this.problems.size == 0;
  }

  /** Everything that was reported, in one line. */
  allProblems(): Text {
    return this.problems.text();
  }

  /** Reports a problem. @returns the line, for more of it */
  report(format: Text, a: usize = 0, b: usize = 0): Line {
    if (!this.isValid()) this.problems.add(utf8("; "));
    return this.problems.add(format, a, b);
  }

  /** A string that is not empty; where it is not there, `fallback`. */
  text(name: Text, fallback: Text): Text {
    const member = this.find(name);
    if (!member) {
      if (fallback != REQUIRED) return fallback;
      this.report(utf8('"%" is missing'), name);
    } else {
      if (member.kind == STRING && !isEmpty(member.text)) return member.text;
      addPlace(member, this.report(utf8('"%" must be a string that is not empty'), name));
    }
    return NONE;
  }

  /** A string that is not empty and must be there. */
  requiredText(name: Text): Text {
    return this.text(name, REQUIRED);
  }

  /** A whole number within the bounds, both included. */
  wholeNumber(name: Text, fallback: i32, min: i32, max: i32): i32 {
    const member = this.find(name);
    if (!member) return fallback;
    const value = member.kind == STRING ? -1 : valueOf(member.text);
    if (value >= min && value <= max) return value;
    addPlace(member, this.report(utf8('"%" must be a whole number from #'), name, min).add(utf8(" to #"), max));
    return fallback;
  }

  /** Every member as a header: its name and its value. */
  headers(): Headers {
    const headers = new Headers();
    let member = this.first;
    while (member) {
      this.checkHeader(member);
      headers.add(lowerCase(member.name), member.text);
      member = member.next;
    }
    return headers;
  }

  /** The name of a header, in lower case. */
  fieldName(name: Text, fallback: Text): Text {
    return this.checkedName(name, this.text(name, fallback));
  }

  /** Reports what no reader has asked for: a misspelt member would be without effect, and without a word. */
  refuseOthers(): void {
    let member = this.first;
    while (member) {
      if (!member.asked) this.report(utf8('"%" is not known; known are %'), member.name, this.known.text());
      member = member.next;
    }
  }

  // The same in AssemblyScript's strings.

  /** Reports something that only the filter can see. */
  problem(text: string): void {
    const bytes = encoded(text);
    this.report(utf8("%"), textIn(bytes));
  }

  /** The members' names, in the order of the text. */
  names(): string[] {
    const names: string[] = [];
    let member = this.first;
    while (member) {
      names.push(decoded(member.name));
      member = member.next;
    }
    return names;
  }

  /** A string that is not empty; without `fallback` it must be there. */
  string(name: string, fallback: string | null = null): string {
    const key = encoded(name);
    if (fallback !== null && !this.find(textIn(key))) return fallback;
    return decoded(this.requiredText(textIn(key)));
  }

  /** A whole number within the bounds, both included. */
  integer(name: string, fallback: i32, min: i32, max: i32): i32 {
    const key = encoded(name);
    return this.wholeNumber(textIn(key), fallback, min, max);
  }

  boolean(name: string, fallback: bool): bool {
    const key = encoded(name);
    const member = this.find(textIn(key));
    if (!member) return fallback;
    const isTrue = member.kind == 0x74; /* t */
    if (!isTrue && member.kind != 0x66 /* f */)
      this.problem(`${quoted(name)} must be true or false (offset ${member.offset})`);
    return isTrue;
  }

  /** The member as a header: its name and its value. */
  header(name: string): Header {
    const key = encoded(name);
    const member = this.find(textIn(key));
    if (member) {
      this.checkHeader(member);
      return new Header(name, decoded(member.text));
    }
    const wrong = nameProblem(textIn(key));
    if (wrong != NONE) this.report(utf8('"%": %'), textIn(key), wrong);
    this.report(utf8('"%" is missing'), textIn(key));
    return new Header(name, "");
  }

  /** The name of a header, in lower case; without `fallback` it must be there. */
  headerName(name: string, fallback: string | null = null): string {
    const key = encoded(name);
    const value = encoded(this.string(name, fallback));
    return decoded(this.checkedName(textIn(key), textIn(value)));
  }

  private read(start: usize, size: i32): void {
    const valid = isUtf8(start, start + size);
    const first = readObject(start, size);
    if (problem != NONE) {
      this.readable = false;
      this.report(utf8("not a JSON object: % (offset #)"), problem, problemOffset);
      return;
    }
    if (!valid) this.report(utf8("it is not UTF-8"));
    this.first = first;
    let member = first;
    while (member) {
      let before = <JsonMember>first;
      while (!isSameName(before.name, member.name)) before = <JsonMember>before.next;
      if (before != member) addPlace(member, this.report(utf8('"%" is there twice'), member.name));
      member = member.next;
    }
  }

  private checkHeader(member: JsonMember): void {
    const name = member.name;
    let wrong = nameProblem(name);
    if (wrong != NONE) this.report(utf8('"%": %'), name, wrong);
    wrong = utf8("a header's value must be a string");
    if (member.kind == STRING) wrong = valueProblem(member.text);
    if (wrong != NONE) addPlace(member, this.report(utf8('"%": %'), name, wrong));
  }

  private checkedName(name: Text, value: Text): Text {
    const wrong = isEmpty(value) ? NONE : nameProblem(value);
    if (wrong != NONE) this.report(utf8('"%" is "%": '), name, value).add(wrong);
    return lowerCase(value);
  }

  private find(name: Text): JsonMember | null {
    let found: JsonMember | null = null;
    let isNew = true;
    let member = this.first;
    while (member) {
      if (isSame(member.name, name)) {
        if (!found) found = member;
        isNew = !member.asked;
        member.asked = true;
      }
      member = member.next;
    }
    if (isNew) {
      if (this.known.size > 0) this.known.add(utf8(", "));
      this.known.add(utf8("%"), name);
    }
    return found;
  }
}

/** In place of a fallback: nothing has this address. */
const REQUIRED: Text = 1;

/** How a member's value begins that is a string. */
const STRING = 0x22;

/** What a JSON number says, or -1 when it is none, is negative, has a fraction or an exponent, or is past 10^9. */
function valueOf(text: Text): i32 {
  let value = 0;
  let at = text;
  for (; <u32>(load<u8>(at) - 0x30) < 10; at++) {
    if (value > 99_999_999) return -1;
    value = 10 * value + load<u8>(at) - 0x30;
  }
  const next = load<u8>(at);
  return at == text || next == 0x2e /* . */ || (next | 0x20) == 0x65 /* e */ ? -1 : value;
}

/** Ends a problem with the place of the value that it is about. */
function addPlace(member: JsonMember, line: Line): void {
  line.add(utf8(" (offset #)"), member.offset);
}

/** Of the second byte, some first ones leave less than 80 to BF: what would be longer than it need be, or no character. */
function isUtf8(at: usize, end: usize): bool {
  let more = 0;
  let least = 0x80;
  let most = 0xbf;
  for (; at < end; at++) {
    const byte: i32 = load<u8>(at);
    if (more > 0) {
      if (byte < least || byte > most) return false;
      least = 0x80;
      most = 0xbf;
      more--;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return false;
      more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      if (byte == 0xe0) least = 0xa0;
      if (byte == 0xed) most = 0x9f;
      if (byte == 0xf0) least = 0x90;
      if (byte == 0xf4) most = 0x8f;
    }
  }
  return more == 0;
}
