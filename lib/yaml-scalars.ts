/**
 * What a plain (unquoted) scalar means, to Pulumi (Go's yaml.v3) and to YAML 1.2 (its core schema). They differ in
 * notations that YAML 1.1 had: `0777`, `1_000`, `2024-01-01`. Source: resolve.go of gopkg.in/yaml.v3 v3.0.1.
 */
import { canonical } from "./numbers.ts";

export type Reading =
  | { is: "text" | "null" | "boolean" | "date" }
  /** Decimal notation, or `.inf`, `-.inf`, `.nan`. */
  | { is: "number"; value: string };

const words: [RegExp, Reading][] = [
  [/^(~|null|Null|NULL|)$/, { is: "null" }],
  [/^(true|True|TRUE|false|False|FALSE)$/, { is: "boolean" }],
  [/^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$/, { is: "number", value: "" }],
];

function word(text: string): Reading | undefined {
  const found = words.find(([pattern]) => pattern.test(text))?.[1];
  return found?.is === "number" ? { is: "number", value: text.toLowerCase().replace("+", "") } : found;
}

/** As YAML 1.2 has it. */
export function readByYaml(text: string): Reading {
  const known = word(text);
  if (known) return known;
  if (/^0o[0-7]+$|^0x[0-9a-fA-F]+$/.test(text)) return { is: "number", value: String(BigInt(text)) };
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(text)) return { is: "number", value: text };
  return { is: "text" };
}

/** As Pulumi has it. */
export function readByPulumi(text: string): Reading {
  const known = word(text);
  if (known) return known;
  if (!/^[-+.\d]/.test(text)) return { is: "text" };
  if (isDate(text)) return { is: "date" };
  const plain = text.startsWith(".") ? text.replace(/(?<=\d)_(?=\d)/g, "") : text.replaceAll("_", "");
  const integer = goInteger(plain);
  if (integer !== undefined) return { is: "number", value: String(integer) };
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(plain) && Number.isFinite(Number(plain)))
    return { is: "number", value: plain };
  return { is: "text" };
}

/** Go's strconv.ParseInt and ParseUint with base 0: 64 bits, and an octal number begins with 0. */
function goInteger(text: string): bigint | undefined {
  const match = /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/.exec(text);
  if (!match) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  const size = BigInt(hex ? `0x${hex}` : binary ? `0b${binary}` : octal ? `0o${octal}` : (decimal as string));
  const most = { "": 2n ** 64n - 1n, "+": 2n ** 63n - 1n, "-": 2n ** 63n }[sign as "" | "+" | "-"];
  if (size > most) return undefined;
  return sign === "-" ? -size : size;
}

function isDate(text: string): boolean {
  const time = String.raw`(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?`;
  const match =
    new RegExp(String.raw`^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt]${time}(?:Z|[-+]\d\d:\d\d))?$`).exec(text) ??
    new RegExp(String.raw`^(\d{4})-(\d{1,2})-(\d{1,2}) +${time}$`).exec(text);
  if (!match) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

/** Whether both mean the same by it. */
export function agree(a: Reading, b: Reading): boolean {
  if (a.is !== "number" || b.is !== "number") return a.is === b.is;
  return a.value === b.value || (canonical(a.value) !== undefined && canonical(a.value) === canonical(b.value));
}
