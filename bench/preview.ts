/** `node --import tsx bench/preview.ts STACK`: what `up` would do, inline as `npm start` does it. Prints JSON. */

import { createTerminal, reserveStdout } from "../cli/output/terminal.ts";
import { withStack } from "../cli/stack/stack.ts";
import { preview } from "../cli/stack/update.ts";

const [name = "local"] = process.argv.slice(2);
const terminal = createTerminal({ json: true, stdout: reserveStdout() });
terminal.document(await withStack(name, "preview", terminal, (stack) => preview(stack, terminal)));
