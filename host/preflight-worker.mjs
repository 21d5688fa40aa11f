// A worker thread does not inherit tsx from its parent, whichever way that one was started.
import { register } from "tsx/esm/api";

register();
await import("./preflight-worker.ts");
