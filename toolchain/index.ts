/** The registry of toolchains: nobody else imports their folders. */
import { assemblyscript } from "./assemblyscript/index.ts";
import type { Place, Template, Toolchain } from "./toolchain.ts";
import { wasm } from "./wasm/index.ts";

/** The first one that recognises a place has it. */
const toolchains: Toolchain[] = [assemblyscript, wasm];

/** What a module may be, in one sentence. */
export const expected = `A module is ${toolchains.map(({ takes }) => takes).join(", or ")}, or oci://REFERENCE@sha256:… in a registry.`;

/** By what folders are recognised. */
export const lookedFor = toolchains.flatMap(({ looksFor }) => looksFor ?? []).join(", ");

export async function toolchainFor(place: Place): Promise<Toolchain | undefined> {
  for (const one of toolchains) if (await one.recognises(place)) return one;
  return undefined;
}

/** Of a new filter, in the first toolchain that has one. */
export function newTemplate(name: string): Template {
  for (const { template } of toolchains) if (template) return template(name);
  throw new Error("no toolchain has a template");
}
