// The least that a module can do for a header: one callback, one host call on bytes that were there before. Without
// proxy_on_context_create Envoy does not enter it for a stream at all.
import { proxy_replace_header_map_value } from "@solo-io/proxy-runtime/assembly/imports";

const RESPONSE_HEADERS = 2;
const name = memory.data<u8>([0x78, 0x2d, 0x62, 0x65, 0x6e, 0x63, 0x68]); // x-bench
const value = memory.data<u8>([0x79, 0x65, 0x73]); // yes
const heap = memory.data(1024);

export function proxy_abi_version_0_2_0(): void {}

export function malloc(size: usize): usize {
  return heap;
}

export function proxy_on_response_headers(context: u32, headers: u32, endOfStream: u32): u32 {
  proxy_replace_header_map_value(RESPONSE_HEADERS, name, 7, value, 3);
  return 0;
}
