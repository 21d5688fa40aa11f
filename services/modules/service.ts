import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Service } from "../run.ts";
import { HttpError, text } from "../server.ts";
import type { Settings } from "../settings.ts";

export interface ModulesSettings {
  directory: string;
}

/** MODULES_DIRECTORY: the folder that holds `<sha256>.wasm`. */
export function readModulesSettings(settings: Settings): ModulesSettings {
  const right = "an absolute path such as /modules";
  return { directory: settings.text("MODULES_DIRECTORY", { fallback: "/modules", is: isAbsolute, right }) };
}

/** `GET /<sha256>.wasm`: the module of that name, and nothing else that may lie in the folder. */
export function createModules({ directory }: ModulesSettings): Service {
  return {
    routes: {
      "/healthz": { GET: () => text(200, "ok") },
      "/{file}": {
        GET: async ({ params: { file = "" } }) => {
          if (!/^[0-9a-f]{64}\.wasm$/.test(file)) throw new HttpError(404, `no module is named ${file}`);
          const body = await read(join(directory, file));
          return { status: 200, headers: { "content-type": "application/wasm" }, body };
        },
      },
    },
  };
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new HttpError(404, "there is no such module");
  }
}
