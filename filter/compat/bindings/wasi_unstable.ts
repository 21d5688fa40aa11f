// `@solo-io/proxy-runtime` 0.1.8 imports `proc_exit` from AssemblyScript's WASI bindings, which left the standard library
// in 0.20. The module imports it under WASI's present name.

export { proc_exit } from "./wasi_snapshot_preview1";
