// What the Pulumi engine starts, by way of `pulumi-resource-meshup`. It shows what is written here.
import { isMendable, load } from "../lib/built.mjs";

try {
  await load("provider/main.ts");
} catch (error) {
  console.error(isMendable(error) ? error.message : error);
  process.exitCode = 1;
}
