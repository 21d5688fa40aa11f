import type * as pulumi from "@pulumi/pulumi";
import { ImageContext } from "../../provider/resources.ts";
import type { PushedImage, Registry } from "./registry.ts";

export interface FilterImageArgs {
  /** Absolute path of the module. */
  file: pulumi.Input<string>;
  /** The module's sha256, hex. */
  digest: pulumi.Input<string>;
}

/** A filter's module in an image as proxies take it: from scratch, one layer, `plugin.wasm` at its root. */
export function filterImage(
  registry: Registry,
  name: string,
  { file, digest }: FilterImageArgs,
  opts?: pulumi.ComponentResourceOptions,
): PushedImage {
  const context = new ImageContext(
    name,
    { dockerfile: "FROM scratch\nCOPY plugin.wasm ./\n", files: { "plugin.wasm": file } },
    opts,
  );
  return registry.push(name, { repository: `meshup/${name}`, context: context.directory, tag: digest }, opts);
}
