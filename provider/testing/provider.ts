/**
 * A provider of one order, in a process of its own that tests can kill: `provider.ts create|die-unrecorded INPUTS`.
 * `create` prints the outputs; `die-unrecorded` starts the command and is killed before anything is on disk.
 */
import { writeSync } from "node:fs";
import { root } from "../../lib/paths.ts";
import { start } from "../../process/control.ts";
import type { ProcessInputs } from "../process.ts";
import { processType } from "../process.ts";

const [order, text = "{}"] = process.argv.slice(2);
const inputs = JSON.parse(text) as ProcessInputs;
if (order === "create") {
  const outputs = await processType.create(inputs, { signal: new AbortController().signal, env: process.env });
  console.log(JSON.stringify(outputs));
} else {
  await start({
    name: inputs.name,
    command: inputs.command,
    workingDirectory: root,
    env: {},
    log: `${inputs.directory}/${inputs.name}.log`,
    onSpawn: ({ pid }) => {
      writeSync(1, `${pid}\n`);
      process.kill(process.pid, "SIGKILL");
    },
  });
}
