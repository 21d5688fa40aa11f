// The compiler calls this where a program fails (`--use abort=meshup_abort`). The SDK's `abort_proc_exit` does the same, but
// is there only when a filter imports the SDK; this file is part of every program.

import { proxy_log } from "@solo-io/proxy-runtime/assembly/imports";
import { proc_exit } from "bindings/wasi_snapshot_preview1";

/** Logs what failed, and where in the source, at level critical (5), and ends the module. */
export function meshup_abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const reason = message !== null ? message : "aborted";
  const text = String.UTF8.encode(file !== null ? `${reason} at ${file}(${line}:${column})` : reason);
  proxy_log(5, changetype<usize>(text), text.byteLength);
  proc_exit(255);
}
