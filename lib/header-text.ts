/**
 * Header values as text. On the wire they are bytes: UTF-8 where they are that, else Latin-1 (RFC 9110, 5.5, leaves it
 * open). Node gives and takes a string with one character for each byte.
 */

/** @param bytes one character for each byte, as Node gives a header */
export function headerText(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return bytes;
  }
}

/** The text in UTF-8, one character for each byte, as Node takes a header. */
export function headerBytes(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** Of a list of names and values in turn (`rawHeaders`): lower-case names, several values of one joined by `, `. */
export function headerRecord(raw: string[]): Record<string, string> {
  const joined = headerLists(raw).map(([name, values]) => [name, values.join(", ")]);
  return Object.fromEntries(joined);
}

/** The same, each name with all of its values in order. */
export function headerLists(raw: string[]): [name: string, values: string[]][] {
  const lists = new Map<string, string[]>(); // not an object: a header may be called `__proto__`
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = headerText(raw[i] as string).toLowerCase();
    lists.set(name, [...(lists.get(name) ?? []), headerText(raw[i + 1] as string)]);
  }
  return [...lists];
}

/** Headers that tell where a message ends, or belong to one connection (RFC 9110, 7.6.1; RFC 9113, 8.2.2). */
export const ofConnection: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "http2-settings", "keep-alive", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

/** Of all names and values at once. */
export function inHeaderBytes<T extends string | string[]>(headers: Record<string, T>): Record<string, T> {
  const encoded = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(headerBytes) : headerBytes(value),
  ]);
  return Object.fromEntries(encoded);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
