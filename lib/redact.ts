/** What must not be printed: once it is known here, every word of this process goes without it. */

const hidden = "[secret]";
let secrets: string[] = [];

/** @param values whatever is secret: with a value of several lines each line is, as logs and errors show them */
export function neverPrint(values: string[]): void {
  const all = new Set(secrets);
  for (const value of values)
    for (const text of [value, ...value.split(/\r?\n/).filter((line) => line.length >= 8)]) {
      if (!isWorthHiding(text)) continue;
      all.add(text);
      all.add(inJson(text));
    }
  secrets = [...all].sort((a, b) => b.length - a.length); // one may be a part of another
}

/** As Pulumi has it: what is shorter would be found in everything. */
const isWorthHiding = (text: string) => text.trim().length >= 3 && !/^(true|false)$/i.test(text);

/** As it stands between the quotes of a JSON text. */
export function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

export function redact(text: string): string {
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, hidden), text);
}

/** The same value with every text in it redacted. */
export function redactIn<T>(value: T): T {
  if (secrets.length === 0) return value;
  if (typeof value === "string") return redact(value) as T;
  if (Array.isArray(value)) return value.map(redactIn) as T;
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [redact(key), redactIn(inner)])) as T;
}
