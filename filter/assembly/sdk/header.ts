import { proxy_replace_header_map_value } from "@solo-io/proxy-runtime/assembly/imports";
import { HeaderMapTypeValues } from "@solo-io/proxy-runtime/assembly/runtime";

/**
 * A header, encoded once and given to the host as it is with each request. `name` and `value` are fit to be sent: see
 * `nameProblem` and `valueProblem`.
 */
export class Header {
  private name: ArrayBuffer;
  private value: ArrayBuffer;

  constructor(name: string, value: string) {
    this.name = String.UTF8.encode(name);
    this.value = String.UTF8.encode(value);
  }

  /** On the current stream's response, in place of one of that name. */
  putOnResponse(): void {
    this.put(HeaderMapTypeValues.ResponseHeaders);
  }

  /** On the current stream's request, in place of one of that name. */
  putOnRequest(): void {
    this.put(HeaderMapTypeValues.RequestHeaders);
  }

  // @ts-ignore: decorator
  @inline
  private put(map: HeaderMapTypeValues): void {
    const name = this.name;
    const value = this.value;
    proxy_replace_header_map_value(
      map,
      changetype<usize>(name),
      name.byteLength,
      changetype<usize>(value),
      value.byteLength,
    );
  }
}

/** Why HTTP forbids this name of a header (RFC 9110, 5.1: a token), or "" when it does not. */
export function nameProblem(name: string): string {
  if (name.length == 0) return "a header's name cannot be empty";
  if (name.charCodeAt(0) == CharCode.Colon) return "a pseudo header cannot be set";
  for (let i = 0; i < name.length; i++) {
    if (!isTokenChar(name.charCodeAt(i))) return `character ${i + 1} of the name is not allowed in a header's name`;
  }
  return "";
}

/**
 * Why HTTP forbids this value of a header (RFC 9110, 5.5), or "" when it does not. A tab within it is allowed, and what
 * is not ASCII goes out as UTF-8.
 */
export function valueProblem(value: string): string {
  const last = value.length - 1;
  if (last < 0) return "";
  if (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(last))) return "its value begins or ends with a space";
  for (let i = 0; i <= last; i++) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code != CharCode.Tab) || code == 0x7f) {
      return `character ${i + 1} of its value is a control character`;
    }
  }
  return "";
}

/** `text` with A to Z in lower case: names of headers are ASCII, and `toLowerCase` would bring Unicode's tables along. */
export function lowerCase(text: string): string {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    result += code >= 0x41 && code <= 0x5a ? String.fromCharCode(code | 0x20) : text.charAt(i);
  }
  return result;
}

const enum CharCode {
  Tab = 0x09,
  Space = 0x20,
  Colon = 0x3a,
}

function isSpace(code: i32): bool {
  return code == CharCode.Space || code == CharCode.Tab;
}

function isTokenChar(code: i32): bool {
  if (code >= 0x30 && code <= 0x39) return true;
  const letter = code | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  return code > 0 && "!#$%&'*+-.^_`|~".includes(String.fromCharCode(code));
}
