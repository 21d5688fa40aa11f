import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import { scratch, script } from "../../provider/testing/scratch.ts";
import { documentIn, type KindSpec, ownerId } from "./kind/config.ts";
import { createCluster, deleteCluster } from "./kind-command.ts";

/** A machine whose docker and kind are scripts that write down what they are asked; the node is a file. */
function machine({ ready = true } = {}) {
  const bin = scratch();
  const [node, log] = [join(bin, "node.json"), join(bin, "log")];
  script(
    join(bin, "docker"),
    `echo "docker $*" >>${log}`,
    `case "$*" in`,
    `  "container inspect"*) [ -e ${node} ] && cat ${node} || { echo "Error: No such container" >&2; exit 1; };;`,
    `  cp*) [ -e ${bin}/finished ];;`,
    `  *tee*) cat >${bin}/finished;;`,
    `  *kubectl*) ${ready ? "true" : "false"};;`,
    "esac",
  );
  script(
    join(bin, "kind"),
    `echo "kind $*" >>${log}`,
    `case "$1 $2" in`,
    `  "create cluster") cat >${bin}/config; env >${bin}/environment;;`,
    `  "delete cluster") rm -f ${node} ${bin}/finished;;`,
    `  "get kubeconfig") echo the-kubeconfig;;`,
    "esac",
  );
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  const owner = { stack: "dev", directory: join(bin, "stack") };
  const spec: KindSpec = {
    ...{ name: "c", gatewayPort: 30000, owner, generation: "g1", kubeconfig: join(owner.directory, "kubeconfig") },
    registries: { "registry.localhost:5000": "http://c-registry:5000" },
  };
  const addNode = (destination: string, running = true, paused = false) =>
    writeFileSync(
      node,
      JSON.stringify([
        {
          ...{ Id: "1", Name: "/c-control-plane", State: { Running: running, Paused: paused }, Config: { Labels: {} } },
          ...{ Mounts: [{ Destination: destination, Source: "/x" }], NetworkSettings: { Ports: {}, Networks: {} } },
        },
      ]),
    );
  return {
    spec,
    addNode,
    addOwn: (running?: boolean, generation = "g1", paused?: boolean) =>
      addNode(`/etc/meshup/${ownerId(owner)}/${generation}`, running, paused),
    finish: () => writeFileSync(join(bin, "finished"), ""),
    asked: (what: RegExp) => existsSync(log) && what.test(readFileSync(log, "utf8")),
    file: (name: string) => readFileSync(join(bin, name), "utf8"),
  };
}

it("makes a cluster whose node knows the registry, and keeps the kubeconfig to its owner", async () => {
  const m = machine();
  expect(await createCluster({ ...m.spec, nodeImage: "my/node:1" })).toBe("the-kubeconfig\n");
  expect(m.asked(/kind create cluster --name c .*--image my\/node:1/)).toBe(true);
  expect(m.file("config")).toContain("hostPort: 30000");
  expect(m.file("finished")).toContain("http://c-registry:5000");
  expect(statSync(m.spec.kubeconfig).mode & 0o777).toBe(0o600);
});

it("has the node reach out through the proxy, and the registry without it", async () => {
  const m = machine();
  vi.stubEnv("https_proxy", "http://proxy.example.com:3128");
  await createCluster(m.spec);
  expect(m.file("environment")).toMatch(/^NO_PROXY=.*registry\.localhost,c-registry$/m);
  expect(m.file("environment")).toMatch(/^HTTPS_PROXY=http:\/\/proxy\.example\.com:3128$/m);
});

it("prints the kubeconfig so that it is found, whatever is preloaded", async () => {
  const m = machine();
  const preload = join(scratch(), "preload.cjs");
  writeFileSync(preload, 'console.log("hello"); process.on("exit", () => console.log("bye"));');
  const file = fileURLToPath(new URL("kind-command.ts", import.meta.url));
  const { stdout } = await exec(process.execPath, ["--import", "tsx/esm", file, "create"], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: `--require ${preload}` },
    input: JSON.stringify(m.spec),
  });
  expect(stdout).toMatch(/^hello\n/);
  expect(documentIn(stdout)).toBe("the-kubeconfig");
});

it.each([
  ["running", true],
  ["stopped", false],
] as const)("takes its own over, %s", async (_state, running) => {
  const m = machine();
  m.addOwn(running);
  m.finish();
  await createCluster(m.spec);
  expect(m.asked(/kind (create|delete)/)).toBe(false);
  expect(m.asked(/docker start c-control-plane/)).toBe(!running);
  expect(readFileSync(m.spec.kubeconfig, "utf8")).toBe("the-kubeconfig\n");
});

it("makes its own anew when an interrupted run left a half", async () => {
  const m = machine();
  m.addOwn(false);
  await createCluster(m.spec);
  expect(m.asked(/kind delete cluster --name c [\s\S]*kind create cluster --name c /)).toBe(true);
});

it("makes its own anew for another generation", async () => {
  const m = machine();
  m.addOwn(true, "g0");
  m.finish();
  await createCluster(m.spec);
  expect(m.asked(/kind delete cluster --name c [\s\S]*kind create cluster --name c /)).toBe(true);
});

it("deletes nothing for a generation whose place another one has taken", async () => {
  const m = machine();
  await createCluster({ ...m.spec, generation: "g2" });
  m.addOwn(true, "g2");
  await deleteCluster({ ...m.spec, name: "renamed", generation: "g1" });
  await deleteCluster({ ...m.spec, generation: "g1" });
  expect(m.asked(/kind delete/)).toBe(false);
  expect(existsSync(m.spec.kubeconfig)).toBe(true);
  await deleteCluster({ ...m.spec, generation: "g2" });
  expect(m.asked(/kind delete cluster --name c /)).toBe(true);
  expect(existsSync(m.spec.kubeconfig)).toBe(false);
});

it("goes on with one that was paused", async () => {
  const m = machine();
  m.addOwn(true, "g1", true);
  m.finish();
  await createCluster(m.spec);
  expect(m.asked(/docker unpause c-control-plane/)).toBe(true);
  expect(m.asked(/kind (create|delete)/)).toBe(false);
});

it.each(["/data", "/etc/meshup/dev-000000000000/g1"])("neither takes over nor deletes one with %s", async (mount) => {
  const m = machine();
  m.addNode(mount);
  await expect(createCluster(m.spec)).rejects.toThrow(/kind cluster c that this stack did not make/);
  await deleteCluster(m.spec);
  expect(m.asked(/kind (create|delete)/)).toBe(false);
});

it("deletes its own, and is content when there is none", async () => {
  const m = machine();
  m.addOwn();
  await deleteCluster(m.spec);
  await deleteCluster(m.spec);
  expect(m.asked(/kind delete cluster --name c /)).toBe(true);
});
