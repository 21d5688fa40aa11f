import { UserError } from "../lib/errors.ts";

/**
 * Whether it begins as a module that proxies load.
 * @param name for the message
 * @throws UserError
 */
export function requireModule(bytes: Uint8Array, name: string): void {
  const head = Buffer.from(bytes.subarray(0, 8));
  if (head.subarray(0, 4).toString("latin1") !== "\0asm")
    throw new UserError(`${name} is not a WebAssembly module: it does not begin with \\0asm.`);
  if (head.length < 8 || head.readUInt32LE(4) !== 1)
    throw new UserError(`${name} is not a core WebAssembly module of version 1 (a component?); proxies load no other.`);
}
