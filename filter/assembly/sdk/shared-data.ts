import { proxy_get_shared_data, proxy_set_shared_data } from "@solo-io/proxy-runtime/assembly/imports";
import { free } from "@solo-io/proxy-runtime/assembly/malloc";
import { WasmResultValues } from "@solo-io/proxy-runtime/assembly/runtime";

/** No value has it: the host counts up from 1. */
const NEVER: u32 = 0xffffffff;

/**
 * One entry of the data that all VMs of a `vm_id` share: every worker of a proxy, and its main thread. The SDK's own
 * functions leave the compare-and-swap number out.
 */
export class SharedData {
  private key: ArrayBuffer;
  // The host writes into these three.
  private at: usize = 0;
  private size: usize = 0;
  private cas: u32 = NEVER;

  constructor(key: string) {
    this.key = String.UTF8.encode(key);
  }

  /** The entry as it is now, or null while there is none. */
  read(): ArrayBuffer | null {
    const self = changetype<usize>(this);
    const result = proxy_get_shared_data(
      changetype<usize>(this.key),
      this.key.byteLength,
      self + offsetof<SharedData>("at"),
      self + offsetof<SharedData>("size"),
      self + offsetof<SharedData>("cas"),
    );
    if (result != WasmResultValues.Ok) {
      // With a number that no value has, only an entry that is still not there can be written.
      this.cas = NEVER;
      return null;
    }
    const bytes = changetype<ArrayBuffer>(this.at);
    free(this.at);
    return bytes;
  }

  /** Writes the entry, unless somebody else has written it since `read`: then false. */
  write(bytes: ArrayBuffer): bool {
    const result = proxy_set_shared_data(
      changetype<usize>(this.key),
      this.key.byteLength,
      changetype<usize>(bytes),
      bytes.byteLength,
      this.cas,
    );
    return result == WasmResultValues.Ok;
  }
}
