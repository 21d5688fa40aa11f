// The AssemblyScript compiler in a thread of its own, which stays warm. Plain JavaScript on purpose: in the main thread
// tsx would transform the compiler's 14 MB at each start (6 s), and a compilation would hold up everything else.

import { parentPort } from "node:worker_threads";
import asc from "assemblyscript/asc";
import Utf8Literals from "./utf8-literals.mjs";

/** The standard library as it comes: the compiler keeps what it was given as one, for the next compilation too. */
const shipped = { ...asc.libraryFiles };

/** Questions for files that the main thread has yet to answer, by number. */
const waiting = new Map();
let asked = 0;

parentPort.on("message", async (message) => {
  if (message.kind === "file") {
    waiting.get(message.id)(message.text);
    waiting.delete(message.id);
  } else {
    parentPort.postMessage({ kind: "done", ...(await compile(message.args, message.libraryFiles)) });
  }
});

/**
 * @param {string[]} args of `asc`
 * @param {string[]} libraryFiles of `--lib` that belong to every program
 */
async function compile(args, libraryFiles) {
  for (const name of Object.keys(asc.libraryFiles)) if (!(name in shipped)) delete asc.libraryFiles[name];
  Object.assign(asc.libraryFiles, shipped);
  let wasm;
  const { error, stderr } = await asc.main(args, {
    readFile: (name, baseDir) =>
      new Promise((resolve) => {
        waiting.set(++asked, resolve);
        parentPort.postMessage({ kind: "read", id: asked, name, baseDir });
      }),
    writeFile(_name, content) {
      if (typeof content !== "string") wasm = content;
    },
    listFiles: () => libraryFiles,
    transforms: [Utf8Literals],
  });
  return { wasm: error ? undefined : wasm, diagnostics: stderr.toString().trim() || String(error) };
}
