/** `node --import tsx bench/preview.ts STACK`: what `up` would do, inline as `npm start` does it. Prints JSON. */
import { withStack } from "../cli/stack.ts";
import { createTerminal, reserveStdout } from "../cli/terminal.ts";
import { preview } from "../cli/update.ts";

const [name = "local"] = process.argv.slice(2);
const terminal = createTerminal({ json: true, stdout: reserveStdout() });
terminal.document(await withStack(name, "preview", terminal, (stack) => preview(stack, terminal)));
