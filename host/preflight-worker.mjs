// What the thread is started with: it cannot be TypeScript.
import { load } from "../cli/built.mjs";

await load("host/preflight-worker.ts");
