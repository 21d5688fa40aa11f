import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { wasStartedSince } from "../../kube/pods.ts";
import { Answer, type Answers, fakeCluster } from "../../kube/testing/kubernetes.ts";
import { writeRecord } from "../../process/record.ts";
import { identify } from "../../process/table.ts";
import { scratch } from "../../provider/testing/scratch.ts";
import { comingUp, proveWhenUp, restartOf, waitUntilUp } from "./coming-up.ts";
import type { Proof } from "./proof.ts";

const proof = (ok: boolean): Proof => ({ filter: "a", url: "http://localhost/", ok, seen: {} });

describe("proofs", () => {
  /** Runs out of outcomes, and of what is waited for, as long as there are any. */
  async function proveWith(outcomes: boolean[], waiting: string[][], limitMs?: number) {
    vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 100 });
    onTestFinished(() => void vi.useRealTimers());
    const notes: string[] = [];
    const next = <T>(list: T[]) => (list.length > 1 ? list.shift() : list[0]) as T;
    const proofs = proveWhenUp(
      async () => [proof(next(outcomes))],
      async () => next(waiting),
      { note: (line) => void notes.push(line) },
      limitMs,
    );
    await vi.runAllTimersAsync();
    return { ok: (await proofs)[0]?.ok, notes };
  }

  it("that hold are the end: nothing is looked at", async () => {
    expect(await proveWith([true], [["echo"]])).toEqual({ ok: true, notes: [] });
  });

  it("that fail while nothing is coming up have failed", async () => {
    expect(await proveWith([false], [[]])).toEqual({ ok: false, notes: [] });
  });

  it("that fail while something is coming up are tried again, and each thing is said once", async () => {
    const waiting = [["the registry", "echo"], ["the registry", "echo"], ["echo"]];
    expect(await proveWith([false, false, false, true], waiting)).toEqual({
      ok: true,
      notes: ["Waiting for what is still coming up: the registry, echo", "Waiting for what is still coming up: echo"],
    });
  });

  it("that still fail once all is up have failed", async () => {
    expect((await proveWith([false], [["echo"], []])).ok).toBe(false);
  });

  it("are not waited for without end", async () => {
    expect((await proveWith([false], [["echo"]], 3000)).ok).toBe(false);
  });
});

it("a wait ends when nothing is coming up any more", async () => {
  const waiting = [["the cluster's API server"], []];
  const notes: string[] = [];
  await waitUntilUp(async () => waiting.shift() ?? [], { note: (line) => void notes.push(line) });
  expect(notes).toEqual(["Waiting for what is still coming up: the cluster's API server"]);
});

describe("a node that was started again", () => {
  it("is told from one that was just made", () => {
    const createdAt = "2026-01-01T12:00:00Z";
    expect(restartOf({ createdAt, startedAt: "2026-01-01T12:00:02Z" })).toBeUndefined();
    expect(restartOf({ createdAt, startedAt: "2026-01-02T12:00:00Z" })).toBe(Date.parse("2026-01-02T12:00:00Z"));
  });

  it("knows of its pods only once they were started after it", () => {
    const pod = (...startedAt: string[]) => ({
      metadata: { name: "a", namespace: "b" },
      status: { containerStatuses: startedAt.map((time) => ({ state: { running: { startedAt: time } } })) },
    });
    const since = Date.parse("2026-01-01T12:00:00.7Z");
    expect(wasStartedSince(pod("2026-01-01T12:00:00Z"), since)).toBe(true);
    expect(wasStartedSince(pod("2026-01-01T11:00:00Z", "2026-01-01T12:00:05Z"), since)).toBe(false);
  });
});

describe("what is still coming up in a cluster", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const before = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  const pod = (name: string, status = "True", seconds = 600, more: object = {}) => ({
    metadata: { name, namespace: "default", labels: { app: name } },
    status: { conditions: [{ type: "Ready", status, lastTransitionTime: before(seconds) }], ...more },
  });

  async function look(over: { echo?: object[]; system?: object[]; node?: string; answers?: Answers }) {
    const { echo = [pod("echo")], system = [pod("coredns")], node = "True" } = over;
    const { kubeconfig } = await fakeCluster({
      "GET /api/v1/nodes": () => ({
        items: [{ metadata: { name: "n" }, status: { conditions: [{ type: "Ready", status: node }] } }],
      }),
      "GET /api/v1/namespaces/default/pods": () => ({ items: echo }),
      "GET /api/v1/namespaces/envoy-gateway-system/pods": () => ({ items: [pod("envoy")] }),
      "GET /api/v1/namespaces/kube-system/pods": () => ({ items: system }),
      ...over.answers,
    });
    const outputs = { kubeconfig, mesh: "envoy-gateway", logs: { echo: "default/echo" } };
    return comingUp({ name: "dev", directory: "/nowhere", config: {}, outputs }, { now });
  }

  it.each([
    ["nothing, a while after all was", {}, []],
    ["a part with a pod that is not ready", { echo: [pod("echo", "False"), pod("echo")] }, ["echo (1 of 2 ready)"]],
    ["a part without a pod", { echo: [] }, ["echo (no pod yet)"]],
    ["a part that has only just become ready", { echo: [pod("echo", "True", 5)] }, ["echo (ready for less than 45 s)"]],
    ["a node", { node: "False" }, ["node n"]],
    ["what names and figures depend on", { system: [pod("coredns", "False")] }, ["kube-system (0 of 1 ready)"]],
    ["no pod that has done its work", { system: [pod("job", "False", 5, { phase: "Succeeded" }), pod("coredns")] }, []],
    [
      "the API server",
      { answers: { "GET /api/v1/nodes": () => new Answer(503, "starting") } },
      ["the cluster's API server"],
    ],
  ])("%s", async (_what, over, expected) => expect(await look(over)).toEqual(expected));
});

it("on this machine it is a process that lives and does not answer", async () => {
  const directory = scratch();
  const record = (name: string, pid: number) =>
    writeRecord(join(directory, `${name}.json`), {
      ...{ startTime: "1", bootId: "b", ...identify(pid), pid, commandHash: "c", state: "ready", stopTimeoutMs: 1 },
      readyUrl: "http://127.0.0.1:1/",
    });
  record("slow", process.pid);
  record("dead", 2 ** 22 + 1);
  expect(await comingUp({ name: "local", directory, config: {}, outputs: {} })).toEqual(["slow"]);
});
