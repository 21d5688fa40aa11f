import type { LogLevel } from "./abi.ts";

/** One line that the module logged, or that the host logged about it. */
export interface LogLine {
  level: LogLevel;
  message: string;
  /** The clock when it was logged, in milliseconds since 1970. */
  at: number;
}

/** The proxy would not load this module, or this configuration: `message` is the reason, as Envoy words it. */
export class PluginRefused extends Error {
  override name = "PluginRefused";
}

/**
 * The module is sound as far as it can be told, but uses what this Node's V8 does not know and the proxy's newer
 * one may: it cannot be run here, which says nothing against it.
 */
export class UnsupportedModule extends Error {
  override name = "UnsupportedModule";
}

/** The module trapped: its VM is dead from then on. */
export class FilterTrap extends Error {
  override name = "FilterTrap";
  /** The export that the host had called, e.g. `proxy_on_request_headers`. */
  readonly callback: string;
  /** What the module said before it trapped (its abort message or panic), else V8's own word for the trap. */
  readonly reason: string;
  /** The module's own stack, innermost first: function names, or `wasm-function[12]` where it carries none. */
  readonly wasmStack: string[];

  constructor(callback: string, reason: string, wasmStack: string[]) {
    super(`${callback} trapped: ${reason}`);
    this.callback = callback;
    this.reason = reason;
    this.wasmStack = wasmStack;
  }
}
