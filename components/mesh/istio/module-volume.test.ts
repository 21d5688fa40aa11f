import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { moduleData, mostBytes } from "../module-data.ts";
import { modulePath, volumeName, withVolumes } from "./module-volume.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
const folder = mkdtempSync(join(tmpdir(), "meshup-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(bytes: number): string {
  const file = join(folder, `${bytes}.wasm`);
  writeFileSync(file, Buffer.alloc(bytes));
  return file;
}

describe("a module in a ConfigMap", () => {
  test("is named by its digest", () => {
    expect(moduleData("add", { file: fileOf(3), digest })).toEqual({ [`${digest}.wasm`]: "AAAA" });
  });

  test("may have as many bytes as a ConfigMap takes, and not one more", () => {
    expect(() => moduleData("add", { file: fileOf(mostBytes), digest })).not.toThrow();
    expect(() => moduleData("add", { file: fileOf(mostBytes + 1), digest })).toThrow(
      `filter "add": its module has ${mostBytes + 1} bytes, and a ConfigMap takes ${mostBytes} (1 MiB in base64): choose delivery image`,
    );
  });
});

describe("pods with modules", () => {
  const template = {
    metadata: { labels: { app: "echo" } },
    spec: { containers: [{ name: "echo" }], volumes: [{ name: "code" }] },
  };
  const volume = { filter: "add", configMap: "wasm-add-d905f08db4", digest };

  test("by the annotations that the injector reads", () => {
    const { metadata, spec } = withVolumes(template, [{ volume, by: "volume" }]);
    const { annotations = {} } = metadata;
    expect(JSON.parse(annotations["sidecar.istio.io/userVolume"] ?? "")).toEqual({
      "wasm-add": { configMap: { name: "wasm-add-d905f08db4" } },
    });
    expect(JSON.parse(annotations["sidecar.istio.io/userVolumeMount"] ?? "")).toEqual({
      "wasm-add": { mountPath: "/var/local/wasm/add", readOnly: true },
    });
    expect(spec).toEqual(template.spec);
  });

  test("by patching the sidecar, beside what the pod has already", () => {
    const { metadata, spec } = withVolumes(template, [{ volume, by: "configmap" }]);
    expect(metadata).not.toHaveProperty("annotations");
    expect(spec.volumes).toEqual([{ name: "code" }, { name: "wasm-add", configMap: { name: "wasm-add-d905f08db4" } }]);
    expect(spec.containers).toEqual([
      { name: "echo" },
      {
        name: "istio-proxy",
        image: "auto",
        volumeMounts: [{ name: "wasm-add", mountPath: "/var/local/wasm/add", readOnly: true }],
      },
    ]);
  });

  test("both at once; a changed module changes a label, so that the pods are replaced", () => {
    const other = { filter: "other", configMap: "wasm-other-1", digest: "1".repeat(64) };
    const both = withVolumes(template, [
      { volume, by: "volume" },
      { volume: other, by: "configmap" },
    ]);
    expect(both.metadata.labels).toEqual({
      app: "echo",
      "module.meshup.dev/add": digest.slice(0, 16),
      "module.meshup.dev/other": "1".repeat(16),
    });
  });

  test("long names stay apart, and short enough for Kubernetes", () => {
    const [a, b] = ["a", "b"].map((end) => volumeName(`${"x".repeat(60)}${end}`));
    expect(a).not.toBe(b);
    expect(a?.length).toBeLessThanOrEqual(50);
  });

  test("where the proxy finds it", () => {
    expect(modulePath(volume)).toBe(`/var/local/wasm/add/${digest}.wasm`);
  });
});
