/**
 * Whether an Accept header prefers JSON to plain text: by quality, then by how exactly it names them, then by which
 * comes first. Text is the default.
 */
export function prefersJson(accept: string | undefined): boolean {
  const ranges = (accept ?? "").split(",").map(parseRange);
  const json = bestMatch(ranges, "application", "json");
  const text = bestMatch(ranges, "text", "plain");
  if (!json || json.quality === 0) return false;
  if (!text) return true;
  if (json.quality !== text.quality) return json.quality > text.quality;
  if (json.exactness !== text.exactness) return json.exactness > text.exactness;
  return json.position < text.position;
}

interface Range {
  type: string;
  subtype: string;
  quality: number;
}

function parseRange(text: string): Range {
  const [range = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const [type = "", subtype = ""] = range.split("/");
  const quality = Number(parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? 1);
  return { type, subtype, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most exact range decides (RFC 9110, 12.5.1). */
function bestMatch(ranges: Range[], type: string, subtype: string) {
  return ranges
    .map((range, position) => ({ quality: range.quality, position, exactness: exactness(range, type, subtype) }))
    .filter((match) => match.exactness > 0)
    .sort((a, b) => b.exactness - a.exactness)[0];
}

function exactness(range: Range, type: string, subtype: string): number {
  if (range.type === "*" && range.subtype === "*") return 1;
  if (range.type !== type) return 0;
  if (range.subtype === "*") return 2;
  return range.subtype === subtype ? 3 : 0;
}
