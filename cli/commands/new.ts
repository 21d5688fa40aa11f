import { rmSync } from "node:fs";
import { join, relative } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { readText, removeEmpty, rewrite } from "../../lib/files.ts";
import { root } from "../../lib/paths.ts";
import { declareFilter, firstRoute } from "../../toolchain/declare.ts";
import { scaffold } from "../../toolchain/new.ts";
import type { Run } from "../run.ts";

const stackFile = "Pulumi.local.yaml";

/** `npm run new -- NAME`: a filter of the person's own: source, cases, declaration. */
export const run: Run = async ({ positionals: [name] }, terminal) => {
  if (name === undefined) throw new UserError("A name is needed: npm run new -- NAME");
  const path = join(root, stackFile);
  const stack = readText(path);
  const { files, declaration } = await scaffold(name, root, firstRoute(stack));
  const folder = join("filters", name);
  try {
    rewrite(path, declareFilter(stack, declaration));
  } catch (error) {
    rmSync(join(root, folder), { recursive: true, force: true }); // all of it, or nothing
    removeEmpty(join(root, "filters"), join(root, "filters"));
    throw error;
  }
  const written = files.map((file) => relative(root, file));
  terminal.print(`Filter ${name}:`);
  for (const file of written) terminal.print(`  ${file}`);
  terminal.print(
    `  ${stackFile}: declared for route ${declaration.target.route}, with ${JSON.stringify(declaration.config)}`,
  );
  terminal.print(
    `\nNext: npm start runs it and shows the header that it adds. Change ${written[0]}, and npm start again.`,
  );
  terminal.document({ filter: declaration, files: written, declaredIn: stackFile });
  return 0;
};
