import { createRequire } from "node:module";

/**
 * What Pulumi's SDK loads only to turn functions into text, for dynamic providers and for cloud functions: two thirds of
 * the time that it takes to load. Nothing here does that.
 */
const forClosures = ["typescript", "@npmcli/arborist"];

/** To be called before Pulumi's SDK is loaded: these modules of it are loaded when they are first used. */
export function lightenSdk(): void {
  const require = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
  for (const name of forClosures) defer(require, name);
}

/** Puts a stand-in into the cache of modules. One that is loaded already stays. */
function defer(require: NodeJS.Require, name: string): void {
  let file: string;
  try {
    file = require.resolve(name);
  } catch {
    return; // a version of the SDK without it
  }
  if (require.cache[file]) return;
  let real: Record<PropertyKey, unknown> | undefined;
  const load = () => {
    if (!real) {
      delete require.cache[file];
      real = require(file) as Record<PropertyKey, unknown>;
    }
    return real;
  };
  // `__esModule`: else TypeScript's `__importStar` would copy every property at once.
  const exports = new Proxy({}, { get: (_, key) => (key === "__esModule" ? true : load()[key]) });
  const standIn = { id: file, filename: file, loaded: true, exports, children: [], paths: [] };
  require.cache[file] = standIn as unknown as NodeJS.Module;
}
