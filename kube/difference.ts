/** Finds the difference between two objects. Pure functions. */
import { isMapping } from "../lib/mapping.ts";

/** A JSON value. */
type Value = unknown;

/** The path of the first field that differs, for example `spec.rules.0`; undefined if there is none. */
export function firstDifference(before: Value, now: Value, path = ""): string | undefined {
  if (isMapping(before) && isMapping(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const found = firstDifference(before[key], now[key], join(path, key));
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (Array.isArray(before) && Array.isArray(now) && before.length === now.length) {
    const at = before.findIndex((value, i) => firstDifference(value, now[i]) !== undefined);
    return at < 0 ? undefined : firstDifference(before[at], now[at], join(path, String(at)));
  }
  return isSame(before, now) ? undefined : path;
}

/**
 * The path of the first requested field that does not have its requested value. Fields that are not requested may have
 * any value. Empty values are ignored: the API server omits them, and controllers fill them in.
 */
export function firstUnmet(asked: Value, now: Value, path = ""): string | undefined {
  if (isEmpty(asked)) return undefined;
  if (isMapping(asked) && isMapping(now)) {
    for (const [key, value] of Object.entries(asked)) {
      const found = firstUnmet(value, now[key], join(path, key));
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (Array.isArray(asked) && Array.isArray(now) && asked.length === now.length) {
    const at = asked.findIndex((value, i) => firstUnmet(value, now[i]) !== undefined);
    return at < 0 ? undefined : firstUnmet(asked[at], now[at], join(path, String(at)));
  }
  return isSame(asked, now) ? undefined : path;
}

/** Kubernetes normalizes quantities: `1000m` becomes `1`. */
function isSame(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isEmpty(a) && isEmpty(b)) return true;
  const [x, y] = [quantityOf(a), quantityOf(b)];
  return x !== undefined && y !== undefined && Math.abs(x - y) <= Math.abs(x) * 1e-9;
}

const isEmpty = (value: Value): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.values(value).every(isEmpty));

const suffixes: Record<string, number> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
function quantityOf(value: Value): number | undefined {
  const [, digits, suffix = ""] = /^([+-]?\d+(?:\.\d+)?)([A-Za-z]{0,2})$/.exec(String(value)) ?? [];
  const factor = suffixes[suffix];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

const join = (path: string, key: string) => (path === "" ? key : `${path}.${key}`);
