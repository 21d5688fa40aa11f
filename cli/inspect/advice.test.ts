import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { kind } from "../../components/cluster/kind/index.ts";
import { known } from "../../components/mesh/envoy-gateway/inspect/policy.ts";
import { advice } from "../../kube/advice.ts";
import { root } from "../../lib/paths.ts";
import { advised, up } from "../../lib/steps.ts";

const inspector = await kind.inspect?.();
const names = { stack: "dev", kubectl: inspector?.kubectl({ name: "dev", config: {} }) as string };
const mendOf = (mend: string) => advised({ name: "module of STACK", ok: false, detail: "KUBECTL", mend }, names).mend;

describe("what is advised", () => {
  it("names the stack, and kubectl with the cluster's own credentials", () => {
    expect(mendOf(up)).toBe("`npm start -- dev` makes what is missing");
    expect(mendOf("KUBECTL -n x get pods")).toBe(
      "docker exec meshup-dev-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf -n x get pods",
    );
  });

  it("leaves what was seen as it is", () => {
    const step = { name: "module of STACK", ok: true, detail: "KUBECTL" };
    expect(advised(step, names)).toEqual(step);
  });
});

/** What looks, and advises. */
const sources = ["components/mesh", "components/cluster", "kube", "proof", "cli/inspect"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file}`)
    .filter((file) => /inspect.*\.ts$|diagnose\.ts$|advice\.ts$|step\.ts$/.test(file) && !file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(root, file), "utf8")),
);

it("no advice calls kubectl as it comes, which would ask another cluster, or a stack by a fixed name", () => {
  for (const source of sources) {
    const code = source.replace(/\/\*\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    expect(code.match(/["'`(]kubectl (?!--kubeconfig)[^\n]*/g) ?? []).toEqual([]);
    expect(code.match(/npm (?:start|run \w+) -- (?!STACK\b|\$\{name\})[^\n]*/g) ?? []).toEqual([]);
  }
});

it.each([
  "wasm cache is not initialized",
  "could not fetch Wasm OCI image: failed after 10 attempts.",
  "http: server gave HTTP response to HTTPS client",
  "could not fetch Wasm OCI image: MANIFEST_UNKNOWN: manifest unknown",
  "could not fetch Wasm OCI image: UNAUTHORIZED: authentication required",
  "module checksum does not match",
  "Conflicted",
  "Lua: syntax error",
  "could not fetch Wasm OCI image: dial tcp: connection refused",
])("of a refusal (%s) it can be followed as it is printed", (message) => {
  const text = mendOf(advice([message], known)) as string;
  expect(text).not.toBe("");
  expect(text).not.toMatch(/STACK|KUBECTL/);
  for (const call of text.match(/kubectl .{0,20}/g) ?? []) expect(call).toMatch(/^kubectl --kubeconfig /);
});
