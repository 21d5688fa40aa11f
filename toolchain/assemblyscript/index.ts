import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Toolchain } from "../toolchain.ts";
import { resolveFolder } from "./source.ts";
import { template } from "./template.ts";

const entries = ["assembly/index.ts", "index.ts"];

/** https://www.assemblyscript.org */
export const assemblyscript: Toolchain = {
  name: "assemblyscript",
  takes: `a folder with ${entries[0]}`,
  looksFor: entries.join(", "),
  recognises: async ({ path, isFolder }) =>
    isFolder && ["asconfig.json", ...entries].some((file) => existsSync(join(path, file))),
  resolve: ({ path, name }) => resolveFolder(path, name, entries),
  template,
};
