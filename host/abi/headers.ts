import type { Pairs } from "./abi.ts";
import { bytesOf, readable } from "./text.ts";

/** A header map as Envoy keeps it: lower-case names, in order, a name may be there more than once. */
export class HeaderMap {
  #pairs: Pairs = [];

  constructor(headers: Record<string, string> | Pairs = []) {
    for (const [name, value] of Array.isArray(headers) ? headers : Object.entries(headers)) this.add(name, value);
  }

  /** The first value of the name. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#pairs.find(([key]) => key === wanted)?.[1];
  }

  add(name: string, value: string): void {
    this.#pairs.push([name.toLowerCase(), value]);
  }

  /** One value in place of all that the name had. */
  set(name: string, value: string): void {
    const wanted = name.toLowerCase();
    const at = this.#pairs.findIndex(([key]) => key === wanted);
    if (at < 0) {
      this.add(wanted, value);
      return;
    }
    this.#pairs = this.#pairs.filter(([key], i) => key !== wanted || i === at);
    this.#pairs[at] = [wanted, value];
  }

  remove(name: string): void {
    const wanted = name.toLowerCase();
    this.#pairs = this.#pairs.filter(([key]) => key !== wanted);
  }

  replaceAll(pairs: Pairs): void {
    this.#pairs = [];
    for (const [name, value] of pairs) this.add(name, value);
  }

  get pairs(): Pairs {
    return this.#pairs.map(([name, value]) => [name, value]);
  }

  get size(): number {
    return this.#pairs.length;
  }

  /** Bytes of all names and values. */
  get byteSize(): number {
    return this.#pairs.flat().reduce((sum, text) => sum + bytesOf(text).length, 0);
  }

  /** As a client shows them: without pseudo-headers (`:status`), several values of one name joined by `, `. */
  toRecord(): Record<string, string> {
    // Not an object from the start: a header may be called `constructor`.
    const joined = new Map<string, string>();
    for (const [name, bytes] of this.#pairs) {
      const value = readable(bytes);
      const before = joined.get(name);
      if (!name.startsWith(":")) joined.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    return Object.fromEntries(joined);
  }
}
