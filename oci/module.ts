/** A module that others have built, as it lies in a registry. */
import { UserError } from "../lib/errors.ts";
import type { Reference } from "./reference.ts";
import { type Credentials, type Descriptor, type Manifest, mostBytes, Repository } from "./registry.ts";

/** The module itself: https://github.com/solo-io/wasm/blob/master/spec/spec.md, and what the CNCF's working group made of it. */
const moduleTypes = ["application/vnd.module.wasm.content.layer.v1+wasm", "application/wasm"];
/** In an image: https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md */
const archive = /^application\/vnd\.(oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)([+.]gzip)?$/;
const fileName = "plugin.wasm";

/**
 * The bytes of a module, and nothing else of the image that it is in. That they are a module has to be seen yet.
 * @param digest of the manifest, `sha256:…`
 * @throws UserError that says in one line why it cannot be had
 */
export async function pullModule(
  reference: Reference & { digest: string },
  credentials?: Credentials,
): Promise<Uint8Array> {
  const repository = new Repository(reference, credentials);
  const layer = layerOf(reference, await imageManifest(repository, reference));
  const bytes = await repository.blob(layer);
  return archive.test(layer.mediaType ?? "") ? unpack(reference, bytes) : bytes;
}

/** The digest that a tag has now. @throws UserError where it cannot be read */
export async function digestNow(reference: Reference, tag: string, credentials?: Credentials): Promise<string> {
  return (await new Repository(reference, credentials).manifest(tag)).digest;
}

/** Of an index the one image that is for WebAssembly, or for this kind of machine, or there at all. */
async function imageManifest(repository: Repository, reference: Reference & { digest: string }): Promise<Manifest> {
  const manifest = await repository.manifest(reference.digest);
  const { manifests } = manifest;
  if (manifests.length === 0) return manifest;
  const isOf = (architecture: string) => (one: Descriptor) => one.platform?.architecture === architecture;
  const [only, ...others] = manifests.filter((one) => one.platform?.os !== "unknown"); // an attestation
  const fitting =
    manifests.find(isOf("wasm")) ?? manifests.find(isOf("amd64")) ?? (others.length > 0 ? undefined : only);
  if (!fitting) throw nothingIn(reference, `it is an index of ${manifests.length} images, none of them for wasm`);
  return repository.manifest(fitting.digest);
}

function layerOf(reference: Reference, { layers }: Manifest): Descriptor {
  const module = layers.find(({ mediaType = "" }) => moduleTypes.includes(mediaType));
  if (module) return module;
  const [layer, ...others] = layers;
  if (layer && others.length === 0 && archive.test(layer.mediaType ?? "")) return layer;
  const types = [...new Set(layers.map(({ mediaType = "no type" }) => mediaType))].join(", ");
  const has = layers.length === 1 ? `one layer, ${types}` : `${layers.length} layers${types && `, ${types}`}`;
  throw nothingIn(reference, `it has ${has}`);
}

async function unpack(reference: Reference, bytes: Buffer): Promise<Uint8Array> {
  const { Parser } = await import("tar");
  const names: string[] = [];
  let module: Promise<Buffer> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const parser = new Parser({
        strict: true,
        onReadEntry: (entry) => {
          names.push(entry.path);
          const isModule = entry.type === "File" && entry.path.replace(/^(\.?\/)+/, "") === fileName;
          if (isModule && entry.size > mostBytes) reject(new Error(`${fileName} has ${entry.size} bytes`));
          else if (isModule) module = entry.concat();
          else entry.resume();
        },
      });
      parser.on("end", resolve).on("error", reject);
      parser.end(bytes);
    });
    if (module) return await module;
  } catch (error) {
    throw new UserError(`${reference.text}: its layer cannot be unpacked: ${(error as Error).message}`);
  }
  throw nothingIn(reference, `its layer has ${names.slice(0, 5).join(", ") || "no file"}`);
}

function nothingIn({ text }: Reference, why: string): UserError {
  return new UserError(
    `${text}: there is no module in it: ${why}; an image of a filter has one layer with ${fileName}, or one of type ${moduleTypes[0]}`,
  );
}
