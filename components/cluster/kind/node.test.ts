import { spawn } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { scratch } from "../../../provider/testing/scratch.ts";
import { createCertificate } from "../../../services/testing/certificate.ts";
import { kubeconfigIn, ownerId } from "./config.ts";
import { hasChanged, isAnswering, type NodeArgs, remove, settle } from "./node.ts";
import { fakeMachine, kubeconfigText } from "./testing/machine.ts";

function machine(options?: { ready?: boolean; copyError?: string }) {
  const m = fakeMachine(options);
  const { owner, registries } = m;
  const args: NodeArgs = {
    ...{ cluster: "c", owner: ownerId(owner), directory: owner.directory, settings: "abcdef" },
    registries,
  };
  return { ...m, args, kubeconfig: kubeconfigIn(owner.directory) };
}

it("where there is none, it names the one to be made: another one each time", async () => {
  const { args, kubeconfig, asked } = machine();
  const [one, two] = [await settle(args), await settle(args)];
  expect(one.generation).toMatch(/^[0-9a-f]{8}-abcdef$/);
  expect(two.generation).not.toBe(one.generation);
  expect(existsSync(kubeconfig)).toBe(false);
  expect(asked(/kind/)).toBe(false);
});

it("one to be made has the proxies of the day; one that is there keeps its own", async () => {
  const { args, addOwn, finish } = machine();
  vi.stubEnv("https_proxy", "http://proxy.example.com:3128");
  const { environment } = await settle(args);
  expect(environment).toMatchObject({ HTTPS_PROXY: "http://proxy.example.com:3128", https_proxy: "" });
  expect(environment.NO_PROXY).toMatch(/registry\.localhost,c-registry$/);
  addOwn();
  finish();
  vi.stubEnv("https_proxy", "http://another:1");
  expect(await settle(args, { ...args, generation: "g1", environment })).toEqual({ generation: "g1", environment });
});

it.each([
  ["running", true, false],
  ["stopped", false, false],
  ["paused", true, true],
] as const)(
  "its own is made usable, %s, and the kubeconfig is for its owner alone",
  async (_state, running, paused) => {
    const { args, addOwn, finish, asked, kubeconfig } = machine();
    addOwn(running, "g1", paused);
    finish();
    expect(await settle(args)).toMatchObject({ generation: "g1" });
    expect(asked(/docker start c-control-plane/)).toBe(!running);
    expect(asked(/docker unpause c-control-plane/)).toBe(paused);
    expect(asked(/kind (create|delete)/)).toBe(false);
    expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
  },
);

it("one that has stopped since its registry was given another name is no half", async () => {
  const { args, addOwn, finish, asked } = machine();
  addOwn(false);
  finish();
  const renamed = { ...args, registries: { "other.localhost:5000": "http://c-registry:5000" } };
  expect(await settle(renamed, { ...args, generation: "g1", environment: {} })).toMatchObject({ generation: "g1" });
  expect(asked(/kind delete/)).toBe(false);
});

it("half of one, left by an interrupted run, goes", async () => {
  const { args, addOwn, asked } = machine();
  addOwn(false);
  expect((await settle(args)).generation).not.toBe("g1");
  expect(asked(/kind delete cluster --name c /)).toBe(true);
});

it("one that Docker cannot look into just now is left alone", async () => {
  const { args, addOwn, asked } = machine({ copyError: "Error response from daemon: no space left on device" });
  addOwn(false);
  await expect(settle(args)).rejects.toThrow(/docker cp from c-control-plane failed: .*no space left/);
  expect(asked(/kind delete/)).toBe(false);
});

it.each(["/data", "/etc/meshup/dev-000000000000/g1"])("somebody else's, with %s, is refused", async (mount) => {
  const { args, addNode, asked } = machine();
  addNode(mount);
  await expect(settle(args)).rejects.toThrow(/kind cluster c that this stack did not make/);
  await remove(args);
  expect(asked(/kind/)).toBe(false);
});

it("what an earlier run is still making is waited for, until the person has enough", async () => {
  const { args, kubeconfig, asked } = machine();
  const words = ["create", "cluster", "--name", "c", "--kubeconfig", kubeconfig];
  const child = spawn("/bin/sh", ["-c", "sleep 60; true", ...["kind", ...words]]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.once("spawn", resolve));
  const said: string[] = [];
  const [patience, given] = [new AbortController(), (text: string) => void said.push(text)];
  const settled = settle(args, undefined, { signal: patience.signal, say: given }).catch(String);
  await expect.poll(() => said).toEqual([expect.stringContaining("kind create cluster")]);
  patience.abort();
  expect(await settled).toMatch(/cancelled/);
  expect(asked(/inspect/)).toBe(false);
  child.kill("SIGKILL");
  expect((await settle(args)).generation).toMatch(/-abcdef$/);
});

it("what is removed is all of it, also one that no state has told of", async () => {
  const { args, addOwn, finish, asked, kubeconfig } = machine();
  addOwn();
  finish();
  await settle(args);
  addOwn(true, "g2");
  await remove(args);
  expect(asked(/kind delete cluster --name c /)).toBe(true);
  expect([existsSync(kubeconfig), existsSync(join(args.directory, "kind"))]).toEqual([false, false]);
  await remove(args);
});

/** An API server that says whether it is ready. */
async function apiServer(directory: string) {
  const { key, cert } = createCertificate("kubernetes");
  let status = 500;
  const server = https.createServer({ key, cert }, ({ url }, response) => {
    response.writeHead(url === "/readyz" ? status : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  mkdirSync(directory, { recursive: true });
  const lead = (ca = cert) => {
    const cluster = { server: `https://127.0.0.1:${port}`, "certificate-authority-data": btoa(ca) };
    writeFileSync(kubeconfigIn(directory), JSON.stringify({ clusters: [{ name: "c", cluster }] }));
  };
  const getReady = () => {
    status = 200;
  };
  return { lead, getReady };
}

it("an API server answers when it is ready, and is the one that the kubeconfig means", async () => {
  const directory = scratch();
  const answers = () => isAnswering(kubeconfigIn(directory));
  const { lead, getReady } = await apiServer(directory);
  expect(await answers()).toBe(false);
  lead();
  expect(await answers()).toBe(false);
  getReady();
  expect(await answers()).toBe(true);
  lead(createCertificate("another").cert);
  expect(await answers()).toBe(false);
  writeFileSync(kubeconfigIn(directory), kubeconfigText);
  expect(await answers()).toBe(false);
});

it("a look tells when it is gone, another one, somebody else's, stopped, or not to be reached", async () => {
  const { args, addOwn, addNode } = machine();
  const changed = () => hasChanged(args, "g1");
  expect(await changed()).toBe(true);
  addOwn();
  expect(await changed()).toBe(true); // no kubeconfig
  const { lead, getReady } = await apiServer(args.directory);
  lead();
  getReady();
  expect(await changed()).toBe(false);
  addOwn(false);
  expect(await changed()).toBe(true);
  addOwn(true, "g1", true);
  expect(await changed()).toBe(true);
  addOwn(true, "g2");
  expect(await changed()).toBe(true);
  addNode("/data");
  expect(await changed()).toBe(true);
});
