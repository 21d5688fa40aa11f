import { encodePairs, type Pairs } from "../abi/abi.ts";
import type { HeaderMap } from "../abi/headers.ts";
import { bytesOf, textOf } from "../abi/text.ts";

/** A property's value, or a tree of them by name: what the caller of the host says there is, e.g. `node.id`. */
export type Property = string | number | bigint | boolean | Uint8Array | { [name: string]: Property };

/** A value in a tree, by path. */
export function lookUp(tree: unknown, path: string[]): unknown {
  return path.reduce(
    (at, part) =>
      typeof at === "object" && at !== null && !(at instanceof Uint8Array) && Object.hasOwn(at, part)
        ? (at as Record<string, unknown>)[part]
        : undefined,
    tree,
  );
}

/** Bytes as Envoy gives them: text as it is, integers as 64 bits little endian, a map as header pairs. */
export function serializeProperty(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return bytesOf(value);
  if (typeof value === "boolean") return Uint8Array.of(value ? 1 : 0);
  if (typeof value === "bigint" || Number.isInteger(value)) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value as number)));
    return bytes;
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const pairs = Object.entries(value).map(([name, inner]) => [name, text(serializeProperty(inner))]);
  return encodePairs(pairs as Pairs);
}

function text(bytes: Uint8Array | undefined): string {
  return bytes ? textOf(bytes) : "";
}

/** `request.*`: what is in the headers is there only while the filter holds them, as in Envoy. */
export function requestProperties(headers: HeaderMap | undefined, protocol: string): Record<string, unknown> {
  if (!headers) return { protocol };
  const path = headers.get(":path") ?? "";
  const [urlPath, query] = [path.split(/[?#]/)[0], path.split("?")[1]?.split("#")[0]];
  return {
    protocol,
    path,
    url_path: urlPath,
    query: query ?? "",
    host: headers.get(":authority"),
    scheme: headers.get(":scheme"),
    method: headers.get(":method"),
    referer: headers.get("referer"),
    useragent: headers.get("user-agent"),
    id: headers.get("x-request-id"),
    headers: byName(headers),
  };
}

/** `response.*`. */
export function responseProperties(
  status: number | undefined,
  headers: HeaderMap | undefined,
): Record<string, unknown> {
  return { ...(status !== undefined && { code: status }), ...(headers && { headers: byName(headers) }) };
}

function byName(headers: HeaderMap): Record<string, string> {
  const record: Record<string, string> = {};
  for (const [name, value] of headers.pairs) record[name] = name in record ? `${record[name]},${value}` : value;
  return record;
}
