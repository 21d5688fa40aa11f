import { isIP } from "node:net";
import { UserError } from "../lib/errors.ts";

/**
 * Reads settings from environment variables. A bad value gives the fallback and is noted in `problems`, so that
 * `check()` can report every problem at once.
 */
export class Settings {
  readonly problems: string[] = [];
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** A whole number within `min` and `max`, both allowed. */
  integer(name: string, { fallback, min, max }: { fallback: number; min: number; max: number }): number {
    const text = this.#env[name];
    if (text === undefined) return fallback;
    const value = parseInteger(text);
    if (value !== undefined && value >= min && value <= max) return value;
    this.problems.push(`${name}: ${quote(text)} is not a whole number from ${min} to ${max}`);
    return fallback;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const text = this.#env[name];
    if (text === undefined) return fallback;
    const found = choices.find((choice) => choice === text);
    if (found) return found;
    this.problems.push(`${name}: ${quote(text)} is not one of ${choices.join(", ")}`);
    return fallback;
  }

  /** An IP address or host name to listen on. */
  host(name: string, fallback: string): string {
    const text = this.#env[name];
    if (text === undefined) return fallback;
    if (isHost(text)) return text;
    this.problems.push(`${name}: ${quote(text)} is not an IP address or a host name`);
    return fallback;
  }

  /** Any text of a kind; without a fallback it has to be set. */
  text(
    name: string,
    { fallback, is, right }: { fallback?: string; is: (text: string) => boolean; right: string },
  ): string {
    const text = this.#env[name] ?? fallback;
    if (text !== undefined && is(text)) return text;
    this.problems.push(
      text === undefined ? `${name} is not set; it has to be ${right}` : `${name}: ${quote(text)} is not ${right}`,
    );
    return fallback ?? "";
  }

  /** A JSON document, read by `parse`, which notes what is wrong with it. There is no fallback. */
  json<T>(name: string, example: string, parse: (value: unknown, problems: string[]) => T, fallback: T): T {
    const text = this.#env[name];
    if (text === undefined) {
      this.problems.push(`${name} is not set; it has to be JSON such as ${example}`);
      return fallback;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.problems.push(`${name} is not JSON (${(error as Error).message}); right would be ${example}`);
      return fallback;
    }
    return parse(value, this.problems);
  }

  /** @throws UserError that names every problem found until now. */
  check(): void {
    if (this.problems.length > 0) throw new UserError(`wrong settings: ${this.problems.join("; ")}`);
  }
}

const hostName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;
/** `1.2.3` or `300.1.1.1` is a mistyped address, never a name. */
const onlyDigitsAndDots = /^[0-9.]+$/;

/** An IP address or a host name. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (text.length <= 253 && hostName.test(text) && !onlyDigitsAndDots.test(text));
}

/** Plain decimal digits only: `1e3`, `0x10`, `+1` and an empty text are mistakes. */
export function parseInteger(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A text for an error message, on one line. */
export function quote(text: string): string {
  return JSON.stringify(shorten(text));
}

export function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
