import { dirname, join } from "node:path";
import { readText } from "../../lib/files.ts";
import { root } from "../../lib/paths.ts";
import { readStackFile } from "../../lib/stack-file.ts";
import type { Run } from "../run.ts";
import { notesForOwnPulumi } from "../stack/own-pulumi.ts";
import { withStack } from "../stack/stack.ts";

/**
 * `npm run init [-- STACK]`: engine, backend and stack made ready for the person's own `pulumi up -s STACK`. Prints the
 * environment for it, for `eval "$(npm -s run init -- STACK)"`.
 */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const { engine, env } = await withStack(name, "init", terminal, async (stack) => {
    await stack.create();
    return stack;
  });
  terminal.note(`Stack ${name} is ready for \`pulumi up -s ${name}\` with Pulumi ${engine.version} (${engine.path})`);
  if (!engine.languageHost)
    terminal.note(
      "`pulumi up` needs Pulumi's language host for Node, pulumi-language-nodejs, which is not there: install Pulumi whole (https://www.pulumi.com/docs/install/). `npm start` does without it.",
    );
  const file = `Pulumi.${name}.yaml`;
  for (const note of notesForOwnPulumi(file, readStackFile(readText(join(root, file)), file))) terminal.note(note);
  // PULUMI_HOME stays the person's own: their `pulumi` keeps its notes where it always does.
  const names = ["PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER"];
  const environment = { ...pick(env, names), ...proxyExceptions(process.env) };
  for (const [name, value] of Object.entries(environment)) terminal.print(`export ${name}=${shellQuote(value)}`);
  terminal.print(`export PATH=${shellQuote(dirname(engine.path))}:"$PATH"`);
  terminal.document({ stack: name, engine, environment });
  return 0;
};

/** Behind a proxy, Pulumi's Node asks that for the engine on this very machine, unless it is told not to. */
function proxyExceptions(env: NodeJS.ProcessEnv): Record<string, string> {
  return env.no_grpc_proxy === undefined ? {} : pick(env, ["no_proxy", "NO_PROXY", "no_grpc_proxy"]);
}

function pick(env: Record<string, string | undefined>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** For any POSIX shell. */
export function shellQuote(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
