import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { UserError } from "../../lib/errors.ts";
import { shortPath } from "../files.ts";
import { type AscOptions, toArguments } from "./asc-options.ts";
import { everyProgram, libraryName, locate } from "./library.ts";

export interface Compilation {
  /** The folder, absolute; all that it imports of its own lies within it. */
  folder: string;
  /** Relative to the folder. */
  entry: string;
  options: AscOptions;
}

type FromWorker =
  | { kind: "read"; id: number; name: string; baseDir: string }
  | { kind: "done"; wasm?: Uint8Array; diagnostics: string };

/** The compiler keeps state of its own: one compilation after the other. */
let previous: Promise<unknown> = Promise.resolve();

/** Started by the first compilation; it does not keep the process alive. */
let compiler: Worker | undefined;

/**
 * Compiles AssemblyScript to a module (about a second). The compiler sees the folder as `/`, so that the same sources
 * give the same bytes wherever they lie.
 * @throws UserError with the compiler's own diagnostics.
 */
export function compile(compilation: Compilation): Promise<Uint8Array> {
  const next = previous.then(() => run(compilation));
  previous = next.catch(() => {});
  return next;
}

async function run(compilation: Compilation): Promise<Uint8Array> {
  const name = shortPath(compilation.folder);
  let { wasm, diagnostics, outside } = await attempt(compilation);
  if (wasm) return wasm;
  if (diagnostics === undefined) {
    // After some errors asc 0.28 crashes in the pass that the incremental runtime needs, and takes what it had to say
    // along. Another runtime does without that pass.
    const options = { ...compilation.options, runtime: "minimal", optimizeLevel: 0 };
    ({ diagnostics, outside } = await attempt({ ...compilation, options }));
  }
  const hint = outside.length > 0 ? `\n\nWhat it imports must lie within ${name}.` : "";
  throw new UserError(`${name} does not compile:\n\n${diagnostics ?? "The AssemblyScript compiler crashed."}${hint}`);
}

interface Attempt {
  wasm?: Uint8Array;
  /** What the compiler wrote; undefined when it crashed, or had nothing to say. */
  diagnostics?: string;
  /** Imports that lead out of the folder. */
  outside: string[];
}

async function attempt({ folder, entry, options }: Compilation): Promise<Attempt> {
  const args = [entry, "--baseDir", "/", "--lib", libraryName, "--outFile", "module.wasm", "--noColors"];
  const outside: string[] = [];
  const { libraryFiles, settings, fileOf } = withRuntime(options);
  const answer = await ask([...args, ...toArguments(settings)], libraryFiles, async (name, baseDir) => {
    if (name === "asconfig.json") return null; // read already: `options`
    const path = locate(fileOf(name), baseDir, folder);
    if (path === undefined) outside.push(name);
    return path === undefined ? null : readText(path);
  });
  return { ...answer, outside };
}

/**
 * The compiler is told `minimal` where our own runtime, `small`, is used: for filters they do the same. A name that asc does
 * not know would make it add code to every function, for a stack that only the incremental runtime needs.
 */
function withRuntime(options: AscOptions) {
  if (options.runtime !== "small")
    return { settings: options, libraryFiles: everyProgram, fileOf: (name: string) => name };
  return {
    settings: { ...options, runtime: "minimal" },
    libraryFiles: [...everyProgram, "small-runtime.ts", "rt/index-minimal.ts"],
    fileOf: (name: string) => name.replace("rt/index-minimal.ts", "rt/index-small.ts"),
  };
}

type ReadSource = (name: string, baseDir: string) => Promise<string | null>;

/** One compilation in the worker, which asks for every file. When it crashes, the next one gets a new worker. */
function ask(args: string[], libraryFiles: string[], read: ReadSource): Promise<Omit<Attempt, "outside">> {
  // Its streams are ours: a crash of the compiler is not to write into the person's terminal.
  compiler ??= new Worker(new URL("asc-worker.mjs", import.meta.url), { execArgv: [], stdout: true, stderr: true });
  const worker = compiler;
  return new Promise((resolve, reject) => {
    const end = () => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      worker.unref();
    };
    const onExit = () => {
      end();
      compiler = undefined;
      resolve({});
    };
    const onError = (error: unknown) => {
      end();
      compiler = undefined;
      void worker.terminate();
      reject(error);
    };
    const onMessage = (message: FromWorker) => {
      if (message.kind === "done") {
        end();
        resolve(message);
      } else {
        const { id, name, baseDir } = message;
        read(name, baseDir).then((text) => worker.postMessage({ kind: "file", id, text }), onError);
      }
    };
    worker.ref();
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage({ kind: "compile", args, libraryFiles });
  });
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return null;
    throw error;
  }
}
