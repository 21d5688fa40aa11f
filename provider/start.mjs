// What the Pulumi engine starts, by way of `pulumi-resource-meshup`. It shows what is written here.
import { load, mendableProblem } from "../lib/built.mjs";
import { keepLoopbackDirect, quietChildren } from "../lib/environment.mjs";

// The engine may end before us: what is under way is undone all the same.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
keepLoopbackDirect(process.env); // under a plain `pulumi up` nobody has done it
quietChildren(process.env);

try {
  await load("provider/main.ts");
} catch (error) {
  console.error(mendableProblem(error) ?? error);
  process.exitCode = 1;
}
