import { proxy_get_shared_data, proxy_set_shared_data } from "@solo-io/proxy-runtime/assembly/imports";
import { Status } from "./abi";
import { place, received } from "./memory";
import { sizeOf, textIn } from "./text";

/** No value has it: the host counts up from 1. */
const NEVER: u32 = 0xffffffff;

/**
 * One entry of the data that all VMs of a `vm_id` share: every worker of a proxy, and its main thread. The SDK's own
 * functions leave the compare-and-swap number out.
 */
export class SharedEntry {
  // The host writes into it.
  private cas: u32 = NEVER;

  constructor(private key: ArrayBuffer) {}

  /** The entry as it is now, with a NUL after it, or null while there is none. */
  get(): ArrayBuffer | null {
    const key = textIn(this.key);
    const cas = changetype<usize>(this) + offsetof<SharedEntry>("cas");
    if (proxy_get_shared_data(key, sizeOf(key), place, place + 4, cas) == Status.Ok) return received();
    // With a number that no value has, only an entry that is still not there can be written.
    this.cas = NEVER;
    return null;
  }

  /** Writes the entry, unless somebody else has written it since `get`: then false. */
  set(bytes: usize, size: i32): bool {
    const key = textIn(this.key);
    return proxy_set_shared_data(key, sizeOf(key), bytes, size, this.cas) == Status.Ok;
  }
}
