// Memory that the host fills, and how what it hands over is taken.

import { proxy_get_buffer_bytes, proxy_get_property } from "@solo-io/proxy-runtime/assembly/imports";
import { BufferType } from "./abi";
import { sizeOf, Text } from "./text";

/** A buffer whose bytes are whatever lay there. */
export function newBuffer(size: i32): ArrayBuffer {
  return changetype<ArrayBuffer>(__new(size, idof<ArrayBuffer>()));
}

/**
 * Memory for the host to hand something over in, which `received` takes. A NUL follows it. (The SDK's own adds none, and
 * fills with zeros what the host is about to fill.)
 */
export function malloc(size: usize): usize {
  const at = changetype<usize>(newBuffer(<i32>size + 1));
  store<u8>(at + size, 0);
  return __pin(at);
}

/** No proxy calls it; some toolchains' modules have it. */
export function free(at: usize): void {
  __unpin(at);
}

/** Where the host writes the address of what it hands over and, four bytes on, the size. */
export const place = memory.data(8);

/** What the host has just handed over, with a NUL after it; empty where it had nothing. */
export function received(): ArrayBuffer {
  const at = load<u32>(place, 4) == 0 ? malloc(0) : load<usize>(place); // nothing has no address
  __unpin(at);
  store<u32>(place, 0, 4);
  return changetype<ArrayBuffer>(at);
}

/** What the host has of that name for the current context; empty where it has nothing. */
export function property(name: Text): ArrayBuffer {
  proxy_get_property(name, sizeOf(name), place, place + 4);
  return received();
}

/** The first `size` bytes of a buffer. */
export function bufferBytes(buffer: BufferType, size: u32): ArrayBuffer {
  proxy_get_buffer_bytes(buffer, 0, size, place, place + 4);
  return received();
}
