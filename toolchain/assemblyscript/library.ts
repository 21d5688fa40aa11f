import { readFile } from "node:fs/promises";
import { join, normalize, sep } from "node:path";
import { root } from "../../lib/paths.ts";
import { readSources, type SourceFile } from "../files.ts";

// What every filter in AssemblyScript can import, besides its own folder:
//   @solo-io/proxy-runtime/assembly   the SDK, from the project's node_modules, wherever the folder is
//   meshup/…                          what is ours on top of it: filter/assembly/sdk
//   rt/…, bindings/…                  modules of the standard library that the SDK needs: filter/compat
//   other packages                    from the folder's own node_modules

const compatDir = join(root, "filter", "compat");
const sdkDir = join(root, "filter", "assembly", "sdk");
const nodeModules = join(root, "node_modules");

/** The name that the compiler has for our library folder (`--lib`); nothing of that name is on the disk. */
export const libraryName = "meshup-library";

/** Of that folder, what is part of every program. */
export const everyProgram = ["abort.ts", "utf8.ts"];

/** Maps a file that the compiler asks for to the disk, or undefined where it may not read. */
export function locate(name: string, baseDir: string, folder: string): string | undefined {
  const path = normalize(name).split(sep).join("/");
  if (path.startsWith("../") || path.startsWith("/")) return undefined;
  if (baseDir === libraryName) {
    return path.startsWith("meshup/") ? join(sdkDir, path.slice("meshup/".length)) : join(compatDir, path);
  }
  // The compatibility modules fit one version of the SDK: the project's.
  if (path.startsWith("node_modules/@solo-io/proxy-runtime/"))
    return join(nodeModules, path.slice("node_modules/".length));
  return join(folder, path);
}

/** All of the library's own sources, for the hash of a module that is compiled with it. */
export async function librarySources(): Promise<SourceFile[]> {
  const transform = join(root, "toolchain", "assemblyscript", "utf8-literals.mjs");
  const [compat, sdk, content] = await Promise.all([readSources(compatDir), readSources(sdkDir), readFile(transform)]);
  return [
    { path: "utf8-literals.mjs", content },
    ...compat.map((file) => ({ ...file, path: `compat/${file.path}` })),
    ...sdk.map((file) => ({ ...file, path: `meshup/${file.path}` })),
  ];
}

/** `{"@solo-io/proxy-runtime": "0.1.8", assemblyscript: "0.28.20"}` as installed. */
export async function toolVersions(): Promise<Record<string, string>> {
  const names = ["@solo-io/proxy-runtime", "assemblyscript"];
  const versions = await Promise.all(
    names.map(async (name) => {
      const manifest = JSON.parse(await readFile(join(nodeModules, name, "package.json"), "utf8"));
      return [name, String(manifest.version)] as const;
    }),
  );
  return Object.fromEntries(versions);
}
