/** Which clusters a filter may call, on each mesh: what another name gets is told before it comes to a proxy. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { preflight } from "../../host/preflight/preflight.ts";
import { buildModule } from "../../toolchain/build.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { callable } from "./capabilities.ts";
import { meshKind, meshNames } from "./index.ts";

const backends = [{ name: "echo" }, { name: "shop" }];
let folder: string;
let wasm: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meshup-callouts-"));
  wasm = (await buildModule(await resolveModule("filter"), folder)).path;
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A filter that polls a cluster of this name. */
function poll(mesh: string, cluster: string) {
  const configuration = JSON.stringify({ cluster, path: "/load" });
  const clusters = callable(meshKind(mesh).capabilities, backends);
  return preflight({ name: "mine", wasm, rootId: "load_feedback_root", configuration, clusters });
}

describe.each(meshNames)("%s", (mesh) => {
  test.each(["echo", "shop"])("the workload %s", async (cluster) => {
    expect(await poll(mesh, cluster)).toMatchObject({ warnings: [] });
  });

  test.each(["ecko", "echo2", "Echo", "sho"])("a misspelt one: %s", async (cluster) => {
    await expect(poll(mesh, cluster)).rejects.toThrow(
      `filter "mine": it calls the cluster "${cluster}", which the proxy does not know; it knows echo, shop`,
    );
  });
});

test.each([
  ["envoy-gateway", "httproute/default/one/rule/0"],
  ["istio", "outbound|8000||echo.default.svc.cluster.local"],
  ["istio", "inbound|8080||"],
])("%s: a name of its own, %s", async (mesh, cluster) => {
  expect(await poll(mesh, cluster)).toMatchObject({ warnings: [] });
  await expect(poll("standalone", cluster)).rejects.toThrow("which the proxy does not know");
});
