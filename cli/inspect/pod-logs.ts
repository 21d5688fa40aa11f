/** The logs of what runs in a cluster. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Part } from "../../components/mesh/inspector.ts";
import { ApiError, type KubeApi } from "../../kube/api.ts";
import type { Pod } from "../../kube/pods.ts";
import type { Logs, LogTail, OnLine } from "./logs.ts";

/** Milliseconds between two looks at which pods there are. */
const lookEveryMs = 1000;

export class PodLogs implements Logs {
  readonly #api: KubeApi;
  readonly #parts: Map<string, Part>;

  constructor(api: KubeApi, parts: Part[]) {
    this.#api = api;
    this.#parts = new Map(parts.map((part) => [part.name, part]));
  }

  get names(): string[] {
    return [...this.#parts.keys()].sort();
  }

  async last(name: string, count: number): Promise<LogTail[]> {
    const part = this.#part(name);
    return Promise.all((await part.pods()).map((pod) => this.#tail(pod, part.container, count)));
  }

  async #tail({ metadata }: Pod, container: string, count: number): Promise<LogTail> {
    const from = metadata.name;
    try {
      const text = await this.#api.log(metadata, { container, tail: count });
      return { from, lines: text === "" ? [] : text.replace(/\n$/, "").split("\n") };
    } catch (error) {
      return { from, lines: [], problem: notStarted(error) };
    }
  }

  /** Goes on with the pods that come in the place of others. */
  async follow(names: string[], count: number, onLine: OnLine, signal: AbortSignal): Promise<void> {
    await Promise.all(names.map((name) => this.#followPart(this.#part(name), count, onLine, signal)));
  }

  async #followPart({ name, container, pods }: Part, count: number, onLine: OnLine, signal: AbortSignal) {
    const following = new Set<string>();
    /** By pod: when its log ended, as it does when its container is started again. */
    const ended = new Map<string, string>();
    const failures: unknown[] = [];
    const followPod = async ({ metadata }: Pod) => {
      const since = ended.get(metadata.name);
      const from = since === undefined ? { tail: count } : { since };
      try {
        const line = (text: string) => onLine(name, metadata.name, text);
        await this.#api.followLog(metadata, { container, ...from }, line, signal);
        ended.set(metadata.name, new Date().toISOString());
      } catch (error) {
        notStarted(error);
      } finally {
        following.delete(metadata.name);
      }
    };
    while (!signal.aborted) {
      for (const pod of await pods()) {
        if (following.has(pod.metadata.name)) continue;
        following.add(pod.metadata.name);
        followPod(pod).catch((error) => failures.push(error));
      }
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {});
      if (failures.length > 0) throw failures[0];
    }
  }

  #part(name: string): Part {
    const part = this.#parts.get(name);
    if (!part) throw new Error(`there is no part ${name}`);
    return part;
  }
}

/** What the API server says of a container that has no log yet. @throws any other error */
function notStarted(error: unknown): string {
  if (error instanceof ApiError && (error.status === 400 || error.status === 404)) return error.message;
  throw error;
}
