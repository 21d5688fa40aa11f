import { createModules, readModulesSettings } from "./modules/service.ts";
import { run } from "./run.ts";

/** Serves Wasm modules: `MODULES_DIRECTORY=$PWD/.meshup/modules node --import tsx services/modules.ts`. */
void run({ name: "modules", defaultPort: 8082, readSettings: readModulesSettings, create: createModules });
