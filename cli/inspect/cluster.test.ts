import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Answer, type Answers, fakeCluster } from "../../kube/testing/kubernetes.ts";
import { stackDir } from "../../lib/paths.ts";
import { openCluster, placeOf, type StackCluster, type StackView } from "./cluster.ts";
import { clusterStatus } from "./cluster-status.ts";
import { PodLogs } from "./pod-logs.ts";

const podLogs = ({ api, parts }: StackCluster) => new PodLogs(api, parts);

/** A stack's outputs. */
const logs = { echo: "default/echo", client: "default/client" };
const openAt = (kubeconfig: string) => openCluster({ kubeconfig, mesh: "envoy-gateway" }, { logs });

const pod = (name: string, ready = true, namespace = "default") => ({
  metadata: { name, namespace },
  status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});

/** The pods of a cluster by their label. */
function pods(by: Record<string, object[]>): Answers {
  const answer = (query: URLSearchParams) => {
    const selector = query.get("labelSelector") ?? "";
    return { items: Object.entries(by).find(([label]) => selector.includes(label))?.[1] ?? [] };
  };
  return {
    "GET /api/v1/namespaces/default/pods": answer,
    "GET /api/v1/namespaces/envoy-gateway-system/pods": answer,
  };
}

const logPath = (name: string, namespace = "default") => `GET /api/v1/namespaces/${namespace}/pods/${name}/log`;

async function open(answers: Answers): Promise<StackCluster> {
  const { kubeconfig } = await fakeCluster(answers);
  return openAt(kubeconfig);
}

test("a stack whose first start has failed has no outputs: its configuration leads to what it has made", async () => {
  const stack = `test-${process.pid}`;
  const kubeconfig = join(stackDir(stack), "kubeconfig");
  const config = { cluster: "kind", mesh: "istio" };
  const view = (config: object, outputs = {}): StackView => ({
    ...{ name: stack, directory: stackDir(stack) },
    ...{ config: config as StackView["config"], outputs },
  });
  expect(await placeOf(view(config))).toBeUndefined();
  mkdirSync(stackDir(stack), { recursive: true });
  onTestFinished(() => rmSync(stackDir(stack), { recursive: true }));
  writeFileSync(kubeconfig, "");
  expect(await placeOf(view(config))).toEqual({ kubeconfig, mesh: "istio" });
  expect(await placeOf(view(config, { kubeconfig: "/k", mesh: "envoy-gateway" }))).toEqual({
    kubeconfig: "/k",
    mesh: "envoy-gateway",
  });
  expect(await placeOf(view({ mesh: "standalone" }))).toBeUndefined();
  expect(await placeOf(view({ cluster: "nonsense", mesh: "istio" }))).toBeUndefined();
});

test("a stack without a cluster has none", async () => {
  const none = { name: "none", directory: "/none" };
  expect(await placeOf({ ...none, config: {}, outputs: {} })).toBeUndefined();
  expect(await placeOf({ ...none, config: { cluster: "local" }, outputs: { mesh: "standalone" } })).toBeUndefined();
  const { kubeconfig } = await fakeCluster({});
  await expect(openCluster({ kubeconfig, mesh: "standalone" }, {})).rejects.toThrow(/no mesh for a cluster/);
});

test("what is ready: workloads, gateway and control plane; a part without a pod is not", async () => {
  const cluster = await open(
    pods({ "app=echo": [pod("echo-1"), pod("echo-2", false)], "control-plane": [pod("envoy-gateway-1")] }),
  );
  expect(await clusterStatus(cluster)).toEqual([
    { name: "echo", ready: 1, pods: 2 },
    { name: "client", ready: 0, pods: 0 },
    { name: "gateway", ready: 0, pods: 0 },
    { name: "envoy-gateway", ready: 1, pods: 1 },
  ]);
});

test("logs have the workloads', the gateway's and the control plane's names", async () => {
  expect(podLogs(await open({})).names).toEqual(["client", "echo", "envoy-gateway", "gateway"]);
});

test("the last lines, of each pod and of the right container", async () => {
  const asked: (string | null)[][] = [];
  const log = (text: string) => (query: URLSearchParams) => {
    asked.push([query.get("container"), query.get("tailLines")]);
    return text;
  };
  const cluster = await open({
    ...pods({
      "app=echo": [pod("echo-1"), pod("echo-2"), pod("echo-3")],
      "owning-gateway-name": [pod("envoy-1", true, "envoy-gateway-system")],
    }),
    [logPath("echo-1")]: log("one\ntwo\n"),
    [logPath("echo-2")]: log(""),
    [logPath("echo-3")]: () => new Answer(400, "container is waiting to start: ContainerCreating"),
    [logPath("envoy-1", "envoy-gateway-system")]: log("[info] three\n"),
  });
  const logs = podLogs(cluster);
  expect(await logs.last("echo", 7)).toMatchObject([
    { from: "echo-1", lines: ["one", "two"] },
    { from: "echo-2", lines: [] },
    { from: "echo-3", lines: [], problem: expect.stringContaining("ContainerCreating") },
  ]);
  expect(await logs.last("gateway", 7)).toEqual([{ from: "envoy-1", lines: ["[info] three"] }]);
  expect(asked).toEqual([
    ["echo", "7"],
    ["echo", "7"],
    ["envoy", "7"],
  ]);
});

test("following goes on with a pod that comes in the place of another, and ends with the signal", async () => {
  const running = [pod("echo-1")];
  const first = new Readable({ read() {} });
  const second = new Readable({ read() {} });
  const cluster = await open({
    ...pods({ "app=echo": running }),
    [logPath("echo-1")]: (query) => (query.has("sinceTime") ? "" : first),
    [logPath("echo-2")]: () => second,
  });
  const stopping = new AbortController();
  const lines: string[] = [];
  const following = podLogs(cluster).follow(
    ["echo"],
    5,
    (name, from, line) => lines.push(`${name} ${from} ${line}`),
    stopping.signal,
  );
  first.push("a\nb");
  await expect.poll(() => lines, { timeout: 5000 }).toEqual(["echo echo-1 a"]);
  first.push("c\n");
  first.push(null);
  running.splice(0, 1, pod("echo-2"));
  second.push("d\n");
  await expect.poll(() => lines, { timeout: 5000 }).toEqual(["echo echo-1 a", "echo echo-1 bc", "echo echo-2 d"]);
  stopping.abort();
  await Promise.race([following, sleep(5000).then(() => Promise.reject(new Error("it goes on")))]);
});

test("following ends with an error when the cluster goes", async () => {
  const { kubeconfig, stop } = await fakeCluster({
    ...pods({ "app=echo": [pod("echo-1")] }),
    [logPath("echo-1")]: () => Readable.from(["a\n"]),
  });
  const cluster = await openAt(kubeconfig);
  const lines: string[] = [];
  const following = podLogs(cluster).follow(
    ["echo"],
    5,
    (_name, _from, line) => lines.push(line),
    new AbortController().signal,
  );
  following.catch(() => {});
  await expect.poll(() => lines).toContain("a");
  await stop();
  await expect(following).rejects.toThrow(/does not answer/);
});
