import { Header, lowerCase, nameProblem, valueProblem } from "./header";
import { JsonKind, JsonMember, parseObject } from "./json";
import { quoted } from "./log";

/**
 * A root's configuration: a JSON object without nested values. Each reader gives the value, or reports what is wrong with
 * it and gives a stand-in, so that one refusal names every problem.
 */
export class Configuration {
  /** What is wrong, each fit to stand in a list. */
  readonly problems: string[] = [];
  private readable: bool = true;
  private members: JsonMember[] = [];
  private asked: Set<string> = new Set<string>();

  /** No bytes are a configuration without a member. */
  static parse(bytes: ArrayBuffer): Configuration {
    const configuration = new Configuration();
    if (bytes.byteLength > 0) configuration.read(bytes);
    return configuration;
  }

  /** Whether the text is a JSON object. */
  isReadable(): bool {
    return this.readable;
  }

  /** Whether nothing was reported so far. */
  isValid(): bool {
    return this.problems.length == 0;
  }

  /** Reports something that only the filter can see. */
  problem(text: string): void {
    this.problems.push(text);
  }

  /** The members' names, in the order of the text. */
  names(): string[] {
    const names: string[] = [];
    for (let i = 0; i < this.members.length; i++) names.push(this.members[i].name);
    return names;
  }

  /** A string that is not empty; without `fallback` it must be there. */
  string(name: string, fallback: string | null = null): string {
    const member = this.find(name);
    if (member) return this.text(member);
    if (fallback !== null) return fallback;
    this.problem(`${quoted(name)} is missing`);
    return "";
  }

  /** A whole number within the bounds, both included. */
  integer(name: string, fallback: i32, min: i32, max: i32): i32 {
    const member = this.find(name);
    if (!member) return fallback;
    const value = member.kind == JsonKind.Number ? wholeNumber(member.text) : -1;
    if (value >= min && value <= max) return <i32>value;
    this.problem(`${quoted(name)} must be a whole number from ${min} to ${max}${where(member)}`);
    return fallback;
  }

  boolean(name: string, fallback: bool): bool {
    const member = this.find(name);
    if (!member) return fallback;
    if (member.kind != JsonKind.Boolean) this.problem(`${quoted(name)} must be true or false${where(member)}`);
    return member.text == "true";
  }

  /** The member as a header: its name and its value. */
  header(name: string): Header {
    const problem = nameProblem(name);
    if (problem != "") this.problem(`${quoted(name)}: ${problem}`);
    const member = this.find(name);
    if (!member) {
      this.problem(`${quoted(name)} is missing`);
    } else if (member.kind != JsonKind.String) {
      this.problem(`${quoted(name)}: a header's value must be a string${where(member)}`);
    } else {
      const problem = valueProblem(member.text);
      if (problem != "") this.problem(`${quoted(name)}: ${problem}${where(member)}`);
    }
    return new Header(lowerCase(name), member ? member.text : "");
  }

  /** The name of a header; without `fallback` it must be there. */
  headerName(name: string, fallback: string | null = null): string {
    const value = this.string(name, fallback);
    const problem = value == "" ? "" : nameProblem(value);
    if (problem != "") this.problem(`${quoted(name)} is ${quoted(value)}: ${problem}`);
    return lowerCase(value);
  }

  /** Reports what no reader has asked for: a misspelt member would be without effect, and without a word. */
  refuseOthers(): void {
    for (let i = 0; i < this.members.length; i++) {
      const member = this.members[i];
      if (!this.asked.has(member.name)) {
        this.problem(`${quoted(member.name)} is not known; known are ${this.asked.values().join(", ")}`);
      }
    }
  }

  private read(bytes: ArrayBuffer): void {
    const text = String.UTF8.decode(bytes);
    const object = parseObject(text);
    this.members = object.members;
    this.readable = object.problem == "";
    if (!this.readable) this.problem(`not a JSON object: ${object.problem}`);
    else if (!isUtf8(bytes, text)) this.problem("it is not UTF-8");
    for (let i = 1; i < this.members.length; i++) {
      if (this.readable && this.indexOf(this.members[i].name) < i) {
        this.problem(`${quoted(this.members[i].name)} is there twice${where(this.members[i])}`);
      }
    }
  }

  private find(name: string): JsonMember | null {
    this.asked.add(name);
    for (let i = 0; i < this.members.length; i++) {
      if (this.members[i].name == name) return this.members[i];
    }
    return null;
  }

  /** Where the name is first: names that differ in case only are the same header. */
  private indexOf(name: string): i32 {
    const wanted = lowerCase(name);
    for (let i = 0; i < this.members.length; i++) {
      if (lowerCase(this.members[i].name) == wanted) return i;
    }
    return -1;
  }

  private text(member: JsonMember): string {
    if (member.kind == JsonKind.String && member.text.length > 0) return member.text;
    this.problem(`${quoted(member.name)} must be a string that is not empty${where(member)}`);
    return "";
  }
}

function where(member: JsonMember): string {
  return ` (offset ${member.offset})`;
}

/** What the JSON number says, or -1 when it is negative, has a fraction or an exponent, or is past 2^53. */
function wholeNumber(text: string): i64 {
  if (text.length > 15) return -1;
  let value: i64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The decoder is lenient: what was not UTF-8 does not come back as it was. */
function isUtf8(bytes: ArrayBuffer, text: string): bool {
  const again = String.UTF8.encode(text);
  if (again.byteLength != bytes.byteLength) return false;
  return memory.compare(changetype<usize>(again), changetype<usize>(bytes), bytes.byteLength) == 0;
}
