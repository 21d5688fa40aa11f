// What the Pulumi engine starts, by way of `pulumi-resource-meshup`.
import { load } from "../cli/built.mjs";

await load("provider/main.ts");
