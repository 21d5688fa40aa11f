// What the thread is started with: it cannot be TypeScript.
import { load } from "../../lib/built.mjs";

await load("host/preflight/worker.ts");
