import { messageOf, UserError } from "../lib/errors.ts";
import { parseReference, type Reference, withDigest } from "../oci/reference.ts";
import type { Credentials } from "../oci/registry.ts";
import { requireModule } from "./module-bytes.ts";
import type { ModuleSource } from "./toolchain.ts";

/** With what a registry is read; none: as everybody may. @param registry `ghcr.io`, `localhost:5001` */
export type CredentialsFor = (registry: string) => Credentials | undefined;

/**
 * A module that others have built: its source is the digest that names it.
 * @param text `oci://REFERENCE@sha256:…`
 * @throws UserError for one without a digest, with the one that its tag has now
 */
export async function resolveReference(
  text: string,
  credentialsFor: CredentialsFor = () => undefined,
): Promise<ModuleSource> {
  const reference = parseReference(text);
  const { digest, registry } = reference;
  if (digest === undefined) throw new UserError(await withoutDigest(reference, credentialsFor));
  const build = async () => {
    const { pullModule } = await import("../oci/module.ts"); // an `up` that has it already stays quick
    const bytes = await pullModule({ ...reference, digest }, credentialsFor(registry));
    requireModule(bytes, `${text}: what is in it`);
    return bytes;
  };
  return { kind: "oci", path: text, sourceHash: digest.replace(/^sha256:/, ""), build };
}

/** The tag that Docker takes where there is none. */
const usualTag = "latest";

async function withoutDigest(reference: Reference, credentialsFor: CredentialsFor): Promise<string> {
  const { text, tag = usualTag, registry } = reference;
  const problem = `${text}: what a tag names may change, and a module is named by its digest`;
  try {
    const { digestNow } = await import("../oci/module.ts");
    const digest = await digestNow(reference, tag, credentialsFor(registry));
    return `${problem}: write ${withDigest(reference, digest)}, which ${tag} is now`;
  } catch (error) {
    const why = messageOf(error).replace(`${text}: `, "");
    return `${problem}: write ${withDigest(reference, "sha256:…")}; which one ${tag} has now cannot be read: ${why}`;
  }
}
