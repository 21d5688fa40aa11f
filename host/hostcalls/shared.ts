import { Status } from "../abi/abi.ts";

export interface SharedValue {
  value: Uint8Array;
  /** Changes with every write; never 0. */
  cas: number;
}

interface Queue {
  items: Uint8Array[];
  onReady: (token: number) => void;
}

/**
 * What all VMs of a proxy share: data and queues, kept apart by vm_id. Give one to several plugins to have them
 * share as Envoy's workers do.
 */
export class SharedState {
  #data = new Map<string, Map<string, SharedValue>>();
  #nextCas = 1;
  #queues = new Map<number, Queue>();
  #tokens = new Map<string, number>();

  /** The data of one vm_id, by key. */
  data(vmId: string): Map<string, SharedValue> {
    const data = this.#data.get(vmId) ?? new Map<string, SharedValue>();
    this.#data.set(vmId, data);
    return data;
  }

  /** @param cas 0: whatever is there; else only if nobody has written since */
  set(vmId: string, key: string, value: Uint8Array, cas: number): Status {
    const data = this.data(vmId);
    const existing = data.get(key);
    if (existing && cas !== 0 && cas !== existing.cas) return Status.CasMismatch;
    data.set(key, { value: Uint8Array.from(value), cas: this.#nextCas++ });
    return Status.Ok;
  }

  /** The same token for the same name; what is in the queue stays, the newest registration is told of new items. */
  registerQueue(vmId: string, name: string, onReady: Queue["onReady"]): number {
    const key = `${vmId}\0${name}`;
    const token = this.#tokens.get(key) ?? this.#tokens.size + 1;
    this.#tokens.set(key, token);
    this.#queues.set(token, { items: this.#queues.get(token)?.items ?? [], onReady });
    return token;
  }

  resolveQueue(vmId: string, name: string): number | undefined {
    return this.#tokens.get(`${vmId}\0${name}`);
  }

  enqueue(token: number, item: Uint8Array): Status {
    const queue = this.#queues.get(token);
    if (!queue) return Status.NotFound;
    queue.items.push(Uint8Array.from(item));
    queue.onReady(token);
    return Status.Ok;
  }

  /** The oldest item, or why there is none. */
  dequeue(token: number): Uint8Array | Status {
    const queue = this.#queues.get(token);
    if (!queue) return Status.NotFound;
    return queue.items.shift() ?? Status.Empty;
  }
}
