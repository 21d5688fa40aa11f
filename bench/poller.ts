import { setTimeout as sleep } from "node:timers/promises";
import { type HttpResponse, httpRequest } from "../lib/http.ts";

/** Asks an address again and again, from now on, until an answer is as wanted: when a person would have seen it. */
export class Poller {
  /** When it was seen first, by `performance.now()`; undefined when it was stopped before that. */
  readonly seen: Promise<number | undefined>;
  #stopped = false;

  constructor(url: string, isWanted: (response: HttpResponse) => boolean) {
    this.seen = this.#poll(url, isWanted);
  }

  /** After one last request. */
  stop(): void {
    this.#stopped = true;
  }

  async #poll(url: string, isWanted: (response: HttpResponse) => boolean): Promise<number | undefined> {
    for (;;) {
      const isLast = this.#stopped;
      const response = await httpRequest({ url, timeoutMs: 1000 }).catch(() => undefined);
      if (response && isWanted(response)) return performance.now();
      if (isLast) return undefined;
      await sleep(20); // the two cores are the stack's
    }
  }
}
