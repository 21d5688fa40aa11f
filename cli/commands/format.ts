import { join } from "node:path";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import type { Run } from "../run.ts";

/** `npm run format`: formats every file and mends what the linter can mend by itself. */
export const run: Run = async (_line, terminal) => {
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const { code, stdout, stderr } = await exec(process.execPath, [biome, "check", "--write"], { cwd: root });
  const output = `${stdout}${stderr}`.trim();
  terminal.print(output);
  terminal.document({ ok: code === 0, output });
  return code === 0 ? 0 : 1;
};
