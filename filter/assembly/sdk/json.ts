// A strict reader (RFC 8259) of one JSON object. Strings, numbers and booleans of its first level are kept; what is
// nested is checked and skipped, so that its place can be named.

export const enum JsonKind {
  String,
  Number,
  Boolean,
  Null,
  Object,
  Array,
}

/** One member of the object. */
export class JsonMember {
  constructor(
    readonly name: string,
    readonly kind: JsonKind,
    /** A string's characters; a number or boolean as written; empty for the others. */
    readonly text: string,
    /** Where the value begins, in characters from 0. */
    readonly offset: i32,
  ) {}
}

export class JsonObject {
  constructor(
    readonly members: JsonMember[],
    /** What is wrong, with its offset, or "" when the text is one JSON object. */
    readonly problem: string,
  ) {}
}

/** Reads `text`, which must be one JSON object and nothing else. */
export function parseObject(text: string): JsonObject {
  const reader = new Reader(text);
  const members = reader.document();
  return new JsonObject(members, reader.problem);
}

const MAX_DEPTH = 32;
const END: i32 = -1;

/** The first problem ends the reading: from there on the text looks as if it were over. */
class Reader {
  problem: string = "";
  private at: i32 = 0;
  private depth: i32 = 0;

  constructor(private text: string) {}

  document(): JsonMember[] {
    const members: JsonMember[] = [];
    this.space();
    if (this.peek() != 0x7b /* { */) {
      this.fail(this.peek() == END ? "there is no JSON value" : "an object must begin here", this.at);
    } else {
      this.object(members);
      this.space();
      if (this.peek() != END) this.fail("nothing may follow the object", this.at);
    }
    return members;
  }

  private object(members: JsonMember[] | null): void {
    this.at++;
    this.space();
    if (this.take(0x7d /* } */)) return;
    do {
      this.space();
      const name = this.string();
      this.space();
      if (!this.take(0x3a /* : */)) this.fail("':' is missing", this.at);
      const member = this.value(name);
      if (members) members.push(member);
      this.space();
    } while (this.take(0x2c /* , */));
    if (!this.take(0x7d)) this.fail("',' or '}' is missing", this.at);
  }

  private array(): void {
    this.at++;
    this.space();
    if (this.take(0x5d /* ] */)) return;
    do {
      this.value("");
      this.space();
    } while (this.take(0x2c));
    if (!this.take(0x5d)) this.fail("',' or ']' is missing", this.at);
  }

  private value(name: string): JsonMember {
    this.space();
    const offset = this.at;
    const first = this.peek();
    if (first == 0x22 /* " */) return new JsonMember(name, JsonKind.String, this.string(), offset);
    if (first == 0x7b || first == 0x5b) {
      if (++this.depth > MAX_DEPTH) this.fail(`values are nested more than ${MAX_DEPTH} deep`, offset);
      else if (first == 0x7b) this.object(null);
      else this.array();
      this.depth--;
      return new JsonMember(name, first == 0x7b ? JsonKind.Object : JsonKind.Array, "", offset);
    }
    if (first == 0x2d /* - */ || isDigit(first)) return new JsonMember(name, JsonKind.Number, this.number(), offset);
    if (this.word("true")) return new JsonMember(name, JsonKind.Boolean, "true", offset);
    if (this.word("false")) return new JsonMember(name, JsonKind.Boolean, "false", offset);
    if (!this.word("null")) this.fail("a value must begin here", offset);
    return new JsonMember(name, JsonKind.Null, "", offset);
  }

  private string(): string {
    if (!this.take(0x22)) {
      this.fail("a string must begin here", this.at);
      return "";
    }
    let result = "";
    let from = this.at;
    while (true) {
      const code = this.peek();
      if (code == 0x22) {
        result += this.text.substring(from, this.at);
        this.at++;
        return result;
      }
      if (code == 0x5c /* \ */) {
        result += this.text.substring(from, this.at);
        result += this.escape();
        from = this.at;
      } else if (code == END) {
        this.fail("the string has no end", this.at);
        return "";
      } else if (code < 0x20) {
        this.fail("a control character must be escaped", this.at);
        return "";
      } else {
        this.at++;
      }
    }
  }

  private escape(): string {
    const offset = this.at;
    this.at += 2;
    const code = this.at <= this.text.length ? this.text.charCodeAt(this.at - 1) : END;
    if (code == 0x22 || code == 0x5c || code == 0x2f /* / */) return String.fromCharCode(code);
    if (code == 0x62 /* b */) return "\b";
    if (code == 0x66 /* f */) return "\f";
    if (code == 0x6e /* n */) return "\n";
    if (code == 0x72 /* r */) return "\r";
    if (code == 0x74 /* t */) return "\t";
    if (code != 0x75 /* u */) {
      this.fail("there is no such escape", offset);
      return "";
    }
    const unit = this.hex4();
    if ((unit & 0xf800) != 0xd800) return unit < 0 ? this.badUnit(offset) : String.fromCharCode(unit);
    if (unit < 0xdc00 && this.take(0x5c) && this.take(0x75)) {
      const low = this.hex4();
      if ((low & 0xfc00) == 0xdc00) return String.fromCharCode(unit, low);
    }
    this.fail("half of a surrogate pair", offset);
    return "";
  }

  private badUnit(offset: i32): string {
    this.fail("\\u needs four hexadecimal digits", offset);
    return "";
  }

  /** The next four hexadecimal digits, or -1. */
  private hex4(): i32 {
    let unit = 0;
    for (let i = 0; i < 4; i++) {
      const code = this.peek();
      const letter = code | 0x20;
      if (isDigit(code)) unit = (unit << 4) | (code - 0x30);
      else if (code != END && letter >= 0x61 && letter <= 0x66) unit = (unit << 4) | (letter - 0x57);
      else return -1;
      this.at++;
    }
    return unit;
  }

  private number(): string {
    const offset = this.at;
    this.take(0x2d);
    if (!this.take(0x30 /* 0 */)) this.digits();
    if (this.take(0x2e /* . */)) this.digits();
    if ((this.peek() | 0x20) == 0x65 /* e */) {
      this.at++;
      if (!this.take(0x2b /* + */)) this.take(0x2d);
      this.digits();
    }
    if (isDigit(this.peek())) this.fail("a number cannot begin with 0", offset);
    return this.text.substring(offset, this.at);
  }

  private digits(): void {
    if (!isDigit(this.peek())) this.fail("a digit is missing", this.at);
    while (isDigit(this.peek())) this.at++;
  }

  private word(word: string): bool {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private space(): void {
    let code = this.peek();
    while (code == 0x20 || code == 0x0a || code == 0x0d || code == 0x09) {
      this.at++;
      code = this.peek();
    }
  }

  private peek(): i32 {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : END;
  }

  private take(code: i32): bool {
    if (this.peek() != code) return false;
    this.at++;
    return true;
  }

  private fail(problem: string, offset: i32): void {
    if (this.problem == "") this.problem = `${problem} (offset ${offset})`;
    this.at = this.text.length;
  }
}

function isDigit(code: i32): bool {
  return code >= 0x30 && code <= 0x39;
}
