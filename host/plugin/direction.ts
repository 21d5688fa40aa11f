import { DataStatus } from "../abi/abi.ts";
import type { HeaderMap } from "../abi/headers.ts";
import type { Bytes } from "./context.ts";

/** One way of a stream, as it arrives: headers, the body in the chunks that come, trailers. */
export interface Arriving {
  headers: HeaderMap;
  chunks: Uint8Array[];
  trailers?: HeaderMap;
}

/** What the filter says to each part. */
export interface Callbacks {
  headers(map: HeaderMap, end: boolean): "continue" | "stop";
  /** A `DataStatus`; may replace the bytes. */
  data(bytes: Bytes, end: boolean): number;
  trailers(map: HeaderMap): "continue" | "stop";
  /** Trailers that the filter added to a message without any. */
  addedTrailers(): HeaderMap | undefined;
}

/** What has left the filter. */
export interface Forwarded {
  headers?: HeaderMap;
  body: Uint8Array;
  trailers?: HeaderMap;
}

type Part =
  | { kind: "headers"; map: HeaderMap; end: boolean }
  | { kind: "data"; chunk: Uint8Array; end: boolean }
  | { kind: "trailers"; map: HeaderMap };

/** Envoy's filter manager for one filter and one direction: holds back what the filter stops, in Envoy's way. */
export class Direction {
  readonly forwarded: Forwarded = { body: new Uint8Array() };
  #parts: Part[];
  #callbacks: Callbacks;
  #onEnd: () => void;
  #state: "running" | "stopped" | "ended" | "aborted" = "running";
  #heldHeaders: HeaderMap | undefined;
  #held = new Uint8Array();
  #heldTrailers: HeaderMap | undefined;
  /** The filter asked for the body as a whole: each further chunk is shown with all before it. */
  #buffering = false;
  #pumping = false;
  /** The filter has already let the current part go on (`continueStream`). Its return value can no longer stop that part. */
  #letGo = false;

  constructor({ headers, chunks, trailers }: Arriving, callbacks: Callbacks, onEnd: () => void) {
    const last = chunks.length - 1;
    this.#parts = [
      { kind: "headers", map: headers, end: chunks.length === 0 && !trailers },
      ...chunks.map((chunk, i) => ({ kind: "data" as const, chunk, end: i === last && !trailers })),
      ...(trailers ? [{ kind: "trailers" as const, map: trailers }] : []),
    ];
    this.#callbacks = callbacks;
    this.#onEnd = onEnd;
  }

  get waiting(): boolean {
    return this.#state === "stopped";
  }

  /** Gives the filter one part after the other until it stops them. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#state === "running") {
      const part = this.#parts.shift();
      if (!part) break;
      this.#give(part);
    }
    this.#pumping = false;
    if (this.#state !== "running") return;
    this.#release();
    this.#state = "ended";
    this.#onEnd();
  }

  /** The filter lets the stream go on: what was held goes first. */
  resume(): void {
    if (this.#state !== "stopped") {
      this.#letGo = true;
      return;
    }
    this.#state = "running";
    this.#release();
    this.pump();
  }

  /** Nothing more goes this way. */
  abort(): void {
    this.#state = "aborted";
  }

  #give(part: Part): void {
    this.#letGo = false;
    if (part.kind === "data") {
      this.#giveData(part.chunk, part.end);
      return;
    }
    const status =
      part.kind === "headers" ? this.#callbacks.headers(part.map, part.end) : this.#callbacks.trailers(part.map);
    if (this.#state === "aborted") return;
    if (part.kind === "headers") this.#heldHeaders = part.map;
    else this.#heldTrailers = part.map;
    this.#settle(status === "continue", true);
  }

  #giveData(chunk: Uint8Array, end: boolean): void {
    const shown: Bytes = { bytes: this.#buffering ? join(this.#held, chunk) : chunk, writable: true };
    const before = this.#buffering ? new Uint8Array() : this.#held;
    const status = this.#callbacks.data(shown, end);
    if (this.#state === "aborted") return;
    const added = end ? this.#callbacks.addedTrailers() : undefined;
    const dropped = status === DataStatus.StopIterationNoBuffer && !this.#buffering;
    this.#held = dropped ? before : join(before, shown.bytes);
    this.#heldTrailers = added;
    this.#buffering = status === DataStatus.StopIterationAndBuffer;
    this.#settle(status === DataStatus.Continue, end);
  }

  /** @param last no further part may let it go on */
  #settle(goesOn: boolean, last: boolean): void {
    if (goesOn || this.#letGo) this.#release();
    else if (last) this.#state = "stopped";
  }

  #release(): void {
    if (this.#heldHeaders) this.forwarded.headers = this.#heldHeaders;
    if (this.#held.length > 0) this.forwarded.body = join(this.forwarded.body, this.#held);
    if (this.#heldTrailers) this.forwarded.trailers = this.#heldTrailers;
    this.#heldHeaders = this.#heldTrailers = undefined;
    this.#held = new Uint8Array();
    this.#buffering = false;
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
