import type { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { httpRequest } from "../../lib/http.ts";

/** Requests one after another until it is stopped: what a person on the other side sees of a change. */
export class Traffic {
  #stopped = false;
  readonly #done: Promise<{ answers: number; failures: string[] }>;

  constructor(url: string, agent?: Agent) {
    this.#done = this.#run(url, agent);
  }

  /** @returns how many answers were 200, and what else came */
  stop(): Promise<{ answers: number; failures: string[] }> {
    this.#stopped = true;
    return this.#done;
  }

  async #run(url: string, agent?: Agent) {
    let answers = 0;
    const failures: string[] = [];
    while (!this.#stopped) {
      await httpRequest({ url, agent }).then(
        ({ status }) => (status === 200 ? answers++ : failures.push(String(status))),
        (error) => failures.push(String(error)),
      );
      await sleep(1);
    }
    return { answers, failures };
  }
}
