import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { scratch } from "../../provider/testing/scratch.ts";
import { chartReference, imageReference, withOverrides } from "./overrides.ts";

function merged(text: string, values: Record<string, string> = {}) {
  const directory = scratch();
  const file = join(directory, "overrides.yaml");
  writeFileSync(file, text);
  return { directory, values: withOverrides(values, { MESHUP_OVERRIDES: file }) };
}

describe("the file of MESHUP_OVERRIDES", () => {
  it("is not needed", () => {
    expect(withOverrides({ mesh: "standalone" }, {})).toEqual({ mesh: "standalone" });
  });

  it("says what the configuration does not", () => {
    const { directory, values } = merged(
      "nodeImage: my/node:1\nupstreamEnvoy: true\ncharts: {base: ./base.tgz, istiod: oci://r/istiod}\n",
      { mesh: "istio" },
    );
    expect(values).toEqual({
      mesh: "istio",
      nodeImage: "my/node:1",
      upstreamEnvoy: "true",
      charts: JSON.stringify({ base: join(directory, "base.tgz"), istiod: "oci://r/istiod" }),
    });
  });

  it("yields to the configuration, key by key and entry by entry", () => {
    const { values } = merged("nodeImage: file\nupstreamEnvoy: true\nimages: {a: file, b: file}\n", {
      nodeImage: "config",
      upstreamEnvoy: "false",
      images: '{"b":"config","c":"config"}',
    });
    expect(values.nodeImage).toBe("config");
    expect(values.upstreamEnvoy).toBe("false");
    expect(JSON.parse(values.images as string)).toEqual({ a: "file", b: "config", c: "config" });
  });

  it("leaves a broken key of the configuration for the configuration's own check", () => {
    expect(merged("images: {a: file}\n", { images: "nonsense" }).values.images).toBe("nonsense");
  });

  it("may be empty", () => {
    expect(merged("# nothing yet\n", { mesh: "istio" }).values).toEqual({ mesh: "istio" });
  });

  it("has all of its problems named at once", () => {
    const text = "nodeImage: 3\nimages: {a: [1]}\nimgaes: {}\nupstreamEnvoy: sometimes\n";
    expect(() => merged(text)).toThrow(UserError);
    expect(() => merged(text)).toThrow(
      /has 4 problems:\n {2}nodeImage: expected string, .*\n {2}images\.a: .*\n {2}upstreamEnvoy: .*\n {2}imgaes: there is no such key$/,
    );
  });

  it.each([
    ["a list", "- 1\n", /has a problem:\n {2}expected object, received array$/],
    ["broken YAML", "a: [\n", /cannot be read: /],
  ])("that is %s is refused", (_name, text, message) => {
    expect(() => merged(text)).toThrow(message);
  });

  it("that is not there is refused", () => {
    expect(() => withOverrides({}, { MESHUP_OVERRIDES: "/no/such.yaml" })).toThrow(
      /^MESHUP_OVERRIDES names \/no\/such.yaml, which cannot be read: ENOENT/,
    );
  });
});

describe("an image", () => {
  const images = {
    "docker.io/envoyproxy/envoy": "docker.io/envoyproxy/envoy:distroless",
    node: "mirror.corp:8443/library/node",
    "docker.io/library/registry": "mirror.corp/registry@sha256:aa",
  };

  it.each([
    ["docker.io/envoyproxy/envoy:v1", "docker.io/envoyproxy/envoy:distroless"],
    ["envoyproxy/envoy@sha256:bb", "docker.io/envoyproxy/envoy:distroless"],
    ["docker.io/library/node:22-slim", "mirror.corp:8443/library/node:22-slim"],
    ["node:22@sha256:cc", "mirror.corp:8443/library/node:22@sha256:cc"],
    ["registry:3", "mirror.corp/registry@sha256:aa"],
    ["docker.io/envoyproxy/envoy-dev:v1", "docker.io/envoyproxy/envoy-dev:v1"],
    ["localhost:5001/node:22", "localhost:5001/node:22"],
    ["busybox", "docker.io/library/busybox"],
  ])("%s is taken from %s", (image, reference) => {
    expect(imageReference({ images }, image)).toBe(reference);
  });
});

describe("a chart", () => {
  const standard = { chart: "oci://docker.io/envoyproxy/gateway-helm", version: "v1.9.1" };
  const from = (override?: string) =>
    chartReference({ charts: override === undefined ? {} : { "gateway-helm": override } }, "gateway-helm", standard);

  it("comes from its own place", () => expect(from()).toEqual(standard));
  it("comes in the same version from a mirror", () => {
    expect(from("oci://mirror/gateway-helm")).toEqual({ chart: "oci://mirror/gateway-helm", version: "v1.9.1" });
  });
  it("comes from an archive, which is a version", () => {
    expect(from("https://mirror/g-v1.tgz")).toEqual({ chart: "https://mirror/g-v1.tgz" });
    expect(from("/charts/g.tgz")).toEqual({ chart: "/charts/g.tgz" });
    expect(from("./charts/g")).toEqual({ chart: join(root, "charts/g") });
  });
});
