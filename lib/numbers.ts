/** Numbers as text, to the last digit: JavaScript's own have some 16 of them. */

/** Whether a number in decimal notation (`12`, `-0.5`, `1e3`) is the same once JavaScript has read and written it. */
export function isExact(text: string): boolean {
  return canonical(text) === canonical(String(Number(text)));
}

/** The same text for the same number: `10`, `10.0` and `1e1` are all `1e1`. Undefined for what is no decimal number. */
export function canonical(text: string): string | undefined {
  const match = /^([-+]?)(?=\.?\d)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign === "-" ? "-" : ""}${significant}e${power}`;
}

export type Path = (string | number)[];

/** A number in a JSON text that JavaScript does not keep to the last digit, and where it stands. */
export interface InexactNumber {
  path: Path;
  /** As it is written. */
  text: string;
}

/** @param json valid JSON */
export function inexactNumbers(json: string): InexactNumber[] {
  if (!/[\d.]{16}|\d[eE]/.test(json)) return []; // by far most
  const found: InexactNumber[] = [];
  const path: Path = [];
  let key: string | undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[-\d][-+.\deE]*|[{}[\],:]|\w+/g)) {
    if (token === "{" || token === "[") path.push(token === "{" ? "" : 0);
    else if (token === "}" || token === "]") path.pop();
    else if (token === ",") {
      const last = path.at(-1);
      if (typeof last === "number") path[path.length - 1] = last + 1;
    } else if (token === ":") path[path.length - 1] = JSON.parse(key as string);
    else if (token.startsWith('"')) key = token;
    else if (/^[-\d]/.test(token) && !isExact(token)) found.push({ path: [...path], text: token });
  }
  return found;
}
