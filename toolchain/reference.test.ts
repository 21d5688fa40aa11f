import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import type { Credentials } from "../oci/registry.ts";
import { archive, artifactType, compatType, TestRegistry } from "../oci/testing/registry.ts";
import { freePort } from "../test/ports.ts";
import { buildModule } from "./build.ts";
import { resolveModule } from "./source.ts";

const module = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const absent = `sha256:${"0".repeat(64)}`;

let registry: TestRegistry;
let out: string;

beforeEach(async () => {
  registry = await TestRegistry.start();
  out = await mkdtemp(join(tmpdir(), "meshup-oci-"));
});
afterEach(async () => {
  await registry.stop();
  await rm(out, { recursive: true });
});

const reference = (digest: string, repository = "me/filter") => `oci://${registry.host}/${repository}@${digest}`;

async function pull(text: string, credentials?: Credentials): Promise<Buffer> {
  const source = await resolveModule(text, (host) => (host === registry.host ? credentials : undefined));
  return readFile((await buildModule(source, out)).path);
}

/** One plain line, about this very reference. */
async function refusal(text: string, credentials?: Credentials): Promise<string> {
  const error = await pull(text, credentials).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).not.toContain("\n");
  expect(error.message).not.toContain("hunter2");
  expect(error.message.startsWith(`${text}: `)).toBe(true);
  return error.message.slice(text.length + 2);
}

test.each([
  ["compat", (bytes: Buffer) => registry.compat(bytes)],
  [
    "compat, of Docker's own type",
    (bytes: Buffer) =>
      registry.image([
        {
          mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
          bytes: gzipSync(archive({ "./plugin.wasm": bytes })),
        },
      ]),
  ],
  [
    "compat, not compressed, with other files",
    (bytes: Buffer) =>
      registry.image([
        {
          mediaType: "application/vnd.oci.image.layer.v1.tar",
          bytes: archive({ "runtime-config.json": Buffer.from("{}"), "plugin.wasm": bytes }),
        },
      ]),
  ],
  [
    "artifact",
    (bytes: Buffer) =>
      registry.image([
        { mediaType: "application/vnd.module.wasm.config.v1+json", bytes: Buffer.from("{}") },
        { mediaType: artifactType, bytes },
      ]),
  ],
  [
    "an index with one for wasm",
    (bytes: Buffer) => {
      const other = {
        digest: registry.compat(Buffer.from("another")),
        platform: { os: "linux", architecture: "arm64" },
      };
      const own = { digest: registry.compat(bytes), platform: { os: "wasip1", architecture: "wasm" } };
      return registry.manifest({ manifests: [other, own] }, undefined, "application/vnd.oci.image.index.v1+json");
    },
  ],
])("the layout %s", async (_, push) => {
  const text = reference(push(module));
  expect(await pull(text)).toEqual(module);
});

test("what is there already is not asked for again, and what was cut short is", async () => {
  const text = reference(registry.compat(module));
  const source = await resolveModule(text);
  expect(registry.requests).toEqual([]);
  const built = await buildModule(source, out);
  const { length } = registry.requests;
  expect(length).toBeGreaterThan(0);
  expect(await buildModule(await resolveModule(text), out)).toEqual(built);
  expect(registry.requests).toHaveLength(length);
  await rm(built.path);
  expect(await pull(text)).toEqual(module);
});

test.each(["basic", "bearer"] as const)("a registry that asks for a password (%s)", async (guard) => {
  registry.guard = guard;
  const text = reference(registry.compat(module));
  expect(await refusal(text)).toMatch(
    /does not give it to everybody \(401\): set meshup:registry to \{ address: localhost:\d+, username: … \}.*registryPassword/,
  );
  expect(await refusal(text, { username: "me", password: "wrong" })).toMatch(
    /refuses it to me \(401\): see meshup:registry\.username and meshup:registryPassword/,
  );
  expect(await pull(text, registry.password)).toEqual(module);
});

test("a token that everybody gets", async () => {
  registry.guard = "open-bearer";
  expect(await pull(reference(registry.compat(module)))).toEqual(module);
});

test("where blobs lie elsewhere, that place gets no password", async () => {
  const storage = await TestRegistry.start();
  registry.guard = "basic";
  const text = reference(registry.compat(module));
  storage.compat(module);
  registry.blobsAt = `http://${storage.host}`;
  expect(await pull(text, registry.password)).toEqual(module);
  expect(storage.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  await storage.stop();
});

test("what is not there: the digest, the repository, a layer, the registry itself", async () => {
  expect(await refusal(reference(absent))).toMatch(/^localhost:\d+ has no sha256:0{64} in me\/filter \(404\)$/);
  expect(await refusal(reference(absent, "me/other"))).toMatch(/has no repository me\/other$/);
  const lost = registry.manifest({ layers: [{ mediaType: compatType, digest: absent }] });
  expect(await refusal(reference(lost))).toMatch(/has no sha256:0{64} in me\/filter/);
  expect(await refusal(reference(absent, "broken"))).toMatch(/answers with 500 \(UNKNOWN\)$/);
  const nobody = `oci://localhost:${await freePort()}/me/filter@${absent}`;
  expect(await refusal(nobody)).toMatch(/^localhost:\d+ does not answer: .*ECONNREFUSED/);
});

test("bytes that are not what their digest says", async () => {
  const digest = registry.compat(module);
  registry.replace(`manifests/${digest}`, Buffer.from('{"layers":[]}'));
  expect(await refusal(reference(digest))).toMatch(/gives for sha256:\w{64} has another digest, sha256:\w{64}$/);
  const other = registry.image([{ mediaType: artifactType, bytes: module }]);
  registry.replace(`blobs/${registry.blob(module)}`, Buffer.from("something else"));
  expect(await refusal(reference(other))).toMatch(/has another digest/);
});

test("no module in it", async () => {
  const gzipped = (files: Record<string, Uint8Array>) => ({ mediaType: compatType, bytes: gzipSync(archive(files)) });
  const text = Buffer.from("text");
  const why = async (digest: string) => refusal(reference(digest));
  const rest = /an image of a filter has one layer with plugin\.wasm, or one of type application\/vnd\.module\.wasm/;
  expect(await why(registry.image([gzipped({ "etc/a": text, "b.wasm": module })]))).toMatch(
    /^there is no module in it: its layer has etc\/a, b\.wasm; /,
  );
  expect(await why(registry.image([gzipped({ a: text }), gzipped({ "plugin.wasm": module })]))).toMatch(
    /^there is no module in it: it has 2 layers, application\/vnd\.oci\.image\.layer/,
  );
  expect(await why(registry.image([{ mediaType: "application/vnd.cncf.helm.chart", bytes: text }]))).toMatch(
    /it has one layer, application\/vnd\.cncf\.helm\.chart/,
  );
  expect(await why(registry.image([]))).toMatch(rest);
  expect(await why(registry.image([{ mediaType: compatType, bytes: text }]))).toMatch(/its layer cannot be unpacked/);
  const platforms = ["arm64", "s390x"].map((architecture) => ({
    digest: absent,
    platform: { os: "linux", architecture },
  }));
  expect(await why(registry.manifest({ manifests: platforms }))).toMatch(/an index of 2 images, none of them for wasm/);
  const notJson = registry.blob(text);
  registry.manifest({}, notJson);
  registry.replace(`manifests/${notJson}`, text);
  expect(await why(notJson)).toMatch(/gives something else than the manifest of an image$/);
});

test("a plugin.wasm that is none", async () => {
  expect(await refusal(reference(registry.compat(Buffer.from("hello world"))))).toMatch(
    /^what is in it is not a WebAssembly module/,
  );
  const component = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  expect(await refusal(reference(registry.compat(component)))).toMatch(/not a core WebAssembly module of version 1/);
});

test("a tag alone is refused, with the digest that it has now", async () => {
  const digest = registry.compat(module, "v1");
  const name = `oci://${registry.host}/me/filter`;
  const at = `write ${name}@${digest}, which`;
  expect(await refusal(`${name}:v1`)).toContain(`${at} v1 is now`);
  expect(await refusal(name)).toMatch(
    /write oci:\S+@sha256:…; which one latest has now cannot be read: localhost.* \(404\)$/,
  );
  registry.compat(module, "latest");
  expect(await refusal(name)).toContain(`${at} latest is now`);
});
