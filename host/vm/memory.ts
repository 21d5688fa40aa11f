import { textOf } from "../abi/text.ts";

/** The module's linear memory as the host sees it. Every access is checked: a bad address is an answer, not a fault. */
export class Memory {
  #memory: WebAssembly.Memory | undefined;

  attach(memory: WebAssembly.Memory | undefined): void {
    this.#memory = memory;
  }

  /** Current size; it never shrinks. */
  get bytes(): number {
    return this.#memory?.buffer.byteLength ?? 0;
  }

  /** The bytes there now; a later growth of the memory leaves them behind. undefined: not all within the memory. */
  view(pointer: number, size: number): Buffer | undefined {
    const [at, length] = [pointer >>> 0, size >>> 0];
    if (!this.#memory || at + length > this.#memory.buffer.byteLength) return undefined;
    return Buffer.from(this.#memory.buffer, at, length);
  }

  /** A copy that stays. */
  read(pointer: number, size: number): Uint8Array | undefined {
    const view = this.view(pointer, size);
    return view && Uint8Array.from(view);
  }

  text(pointer: number, size: number): string | undefined {
    const bytes = this.view(pointer, size);
    return bytes && textOf(bytes);
  }

  write(pointer: number, bytes: Uint8Array): boolean {
    const view = this.view(pointer, bytes.length);
    view?.set(bytes);
    return view !== undefined;
  }

  readU32(pointer: number): number | undefined {
    return this.view(pointer, 4)?.readUInt32LE(0);
  }

  writeU16(pointer: number, value: number): boolean {
    return this.view(pointer, 2)?.writeUInt16LE(value, 0) !== undefined;
  }

  writeU32(pointer: number, value: number): boolean {
    return this.view(pointer, 4)?.writeUInt32LE(value >>> 0, 0) !== undefined;
  }

  writeU64(pointer: number, value: bigint): boolean {
    return this.view(pointer, 8)?.writeBigUInt64LE(BigInt.asUintN(64, value), 0) !== undefined;
  }
}
