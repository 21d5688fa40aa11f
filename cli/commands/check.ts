import { join } from "node:path";
import { exec } from "../../lib/exec.ts";
import { root, stateDir } from "../../lib/paths.ts";
import type { Run } from "../run.ts";

const tools: Record<string, string[]> = {
  types: ["typescript/bin/tsc", "-p", "."],
  "format and lint": ["@biomejs/biome/bin/biome", "check", "--error-on-warnings"],
};

/** `npm run check`: types, format and lint. Both run to their end, so that one go shows all there is to mend. */
export const run: Run = async (_line, terminal) => {
  const results = await Promise.all(
    Object.entries(tools).map(async ([what, [script = "", ...args]]) => {
      const { code, stdout, stderr } = await exec(process.execPath, [join(root, "node_modules", script), ...args], {
        cwd: root,
        env: { ...process.env, XDG_CACHE_HOME: join(stateDir, "cache") }, // biome's; nothing is left outside the clone
      });
      return { what, ok: code === 0, output: `${stdout}${stderr}`.trim() };
    }),
  );
  for (const { what, ok, output } of results) {
    if (!ok && output) terminal.print(output);
    terminal.print(`${what}: ${ok ? terminal.paint.good("ok") : terminal.paint.bad("failed")}`);
  }
  const ok = results.every((result) => result.ok);
  terminal.document({ ok, results });
  return ok ? 0 : 1;
};
