import { relative } from "node:path";
import { root } from "../../lib/paths.ts";
import { buildTo } from "../../toolchain/build.ts";
import type { Run } from "../run.ts";

/** `npm run build`: the project's own filter as build/filter.wasm. */
export const run: Run = async (_line, terminal) => {
  const { path, sha256, bytes } = await buildTo("build/filter.wasm");
  terminal.print(`${relative(root, path)}  ${bytes} bytes  sha256:${sha256}`);
  terminal.document({ path, sha256, bytes });
  return 0;
};
