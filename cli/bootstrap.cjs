// What every npm script runs: `node cli/bootstrap.cjs COMMAND …`. Below a folder with a backslash in its name Node loads no
// ES module, and says so with a stack; this is none.
const { join } = require("node:path");

if (__dirname.includes("\\")) {
  process.stderr.write(
    `Node cannot run programs below a folder with a backslash: move the clone (${join(__dirname, "..")}).\n`,
  );
  process.exitCode = 1;
} else {
  process.argv[1] = join(__dirname, "bootstrap.mjs");
  import("./bootstrap.mjs");
}
