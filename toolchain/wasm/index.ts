import { readFile } from "node:fs/promises";
import { sha256 } from "../../lib/sha256.ts";
import { requireModule } from "../module-bytes.ts";
import type { Toolchain } from "../toolchain.ts";

/** A module that another toolchain has made: it goes on as it is. */
export const wasm: Toolchain = {
  name: "wasm",
  takes: "a file that ends in .wasm",
  recognises: async ({ path, isFolder }) => !isFolder && path.endsWith(".wasm"),
  resolve: async ({ path, name }) => {
    const bytes = await readFile(path);
    requireModule(bytes, name);
    return { kind: "wasm", path, sourceHash: sha256(bytes), build: () => readFile(path) };
  },
};
