// The levels in use. A proxy shows `info` when its log level for wasm is `info` or lower.
import { LogLevelValues, log } from "@solo-io/proxy-runtime/assembly/runtime";

export function info(line: string): void {
  log(LogLevelValues.info, line);
}

export function warn(line: string): void {
  log(LogLevelValues.warn, line);
}

export function error(line: string): void {
  log(LogLevelValues.error, line);
}

/** `text` in quotes and on one line: control characters are written as JSON escapes. */
export function quoted(text: string): string {
  const hex = "0123456789abcdef";
  let result = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code == 0x7f) result += "\\u00" + hex.charAt(code >> 4) + hex.charAt(code & 15);
    else result += text.charAt(i);
  }
  return result + '"';
}
