import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createCertificate } from "../testing/certificate.ts";
import {
  type Answer,
  atRest,
  autoscaler,
  condition,
  type FakeApi,
  forbidden,
  listOf,
  paths,
  podMetrics,
  startApi,
  status,
} from "../testing/kubernetes-api.ts";
import { createKubernetesSource, type KubernetesSettings } from "./kubernetes.ts";
import { ServiceUnknown, SourceDown } from "./source.ts";

/** A source whose answers stand for no time at all, unless told. */
function watch(api: FakeApi, settings: Partial<KubernetesSettings> = {}) {
  const lines: string[] = [];
  const { host, port, directory } = api;
  const source = createKubernetesSource(
    { host, port, directory, namespace: "default", periodMs: 0, ...settings },
    (level, message) => void lines.push(`${level}: ${message}`),
  );
  onTestFinished(() => source.stop());
  return { lines, load: (service = "default/echo") => source.load(service), source };
}

/** The reason why there are no figures. */
async function reason(load: Promise<unknown>): Promise<string> {
  const error = await load.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(SourceDown);
  return (error as Error).message;
}

test("at rest: the autoscaler's replicas, and what the pods use", async () => {
  const api = await startApi();
  const { load, source } = watch(api);
  expect(await load()).toEqual({
    service: "default/echo",
    currentLoad: 1,
    targetLoad: 1,
    maxLoad: 2,
    observedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    cpu: { utilization: 1, targetUtilization: 40, pods: { "echo-1": 1 } },
  });
  expect(api.asked).toEqual([paths.autoscalers, paths.deployment, paths.pods]);
  expect(await source.services()).toEqual(["default/echo"]);
});

test("under load: target first, then the second replica", async () => {
  const api = await startApi();
  const { load } = watch(api);
  api.answers[paths.autoscalers] = listOf(autoscaler("echo", { desiredReplicas: 2 }));
  api.answers[paths.pods] = podMetrics({ "echo-1": "914m" });
  expect(await load()).toMatchObject({ currentLoad: 1, targetLoad: 2, cpu: { utilization: 914 } });
  api.answers[paths.autoscalers] = listOf(autoscaler("echo", { currentReplicas: 2, desiredReplicas: 2 }));
  api.answers[paths.pods] = podMetrics({ "echo-1": "600m", "echo-2": "200m" });
  expect(await load()).toMatchObject({
    currentLoad: 2,
    targetLoad: 2,
    cpu: { utilization: 400, pods: { "echo-1": 600, "echo-2": 200 } },
  });
});

test("however many ask, each question goes to the API once in a period; a failure is kept as well", async () => {
  const api = await startApi();
  const { load } = watch(api, { periodMs: 60_000 });
  await Promise.all(Array.from({ length: 50 }, () => load()));
  await load();
  expect(api.asked).toHaveLength(3);

  const broken = await startApi({ [paths.autoscalers]: () => forbidden });
  const other = watch(broken, { periodMs: 60_000 });
  const reasons = await Promise.all(Array.from({ length: 50 }, () => reason(other.load())));
  expect(new Set(reasons).size).toBe(1);
  expect(broken.asked).toHaveLength(1);
  expect(other.lines).toHaveLength(1);
});

test("an answer stands for its period only", async () => {
  const api = await startApi();
  const { load } = watch(api, { periodMs: 20 });
  await load();
  api.answers[paths.autoscalers] = listOf(autoscaler("echo", { desiredReplicas: 2 }));
  await expect.poll(load).toMatchObject({ targetLoad: 2 });
});

test.each(["default/other", "other/echo", "default/", "echo", "default/../echo"])(
  "%s has no autoscaler: unknown, at no cost to the API",
  async (service) => {
    const api = await startApi();
    const { load } = watch(api);
    await expect(load(service)).rejects.toThrow(
      new ServiceUnknown(`${service} has no autoscaler; there is default/echo`),
    );
    expect(api.asked).toEqual([paths.autoscalers]);
  },
);

test("an autoscaler without its deployment: unknown", async () => {
  const api = await startApi();
  api.answers[paths.deployment] = () => status(404, 'deployments.apps "echo" not found', "NotFound");
  const { load } = watch(api);
  await expect(load()).rejects.toThrow(ServiceUnknown);
  await expect(load()).rejects.toThrow("there is no deployment default/echo, though the autoscaler echo is for it");
});

test("nothing is scaled: unknown, and nothing listed", async () => {
  const { load, source } = watch(await startApi({ [paths.autoscalers]: listOf() }));
  await expect(load()).rejects.toThrow(new ServiceUnknown("default/echo has no autoscaler; there is none"));
  expect(await source.services()).toEqual([]);
});

test("forbidden, then allowed: the API's own words, and each change logged once", async () => {
  const api = await startApi();
  const { load, lines, source } = watch(api);
  const figures = api.answers[paths.autoscalers];
  api.answers[paths.autoscalers] = () => forbidden;
  for (let i = 0; i < 3; i++) expect(await reason(load())).toContain("with status 403: horizontalpodautoscalers");
  expect(await reason(source.services())).toContain("status 403");
  api.answers[paths.autoscalers] = figures as object;
  await load();
  await load();
  expect(lines).toEqual([
    expect.stringMatching(/^warn: no figures: .*cannot list resource/),
    "info: figures are there: the autoscalers of namespace default",
  ]);
});

test.each<[string, () => Answer | Promise<Answer>, string]>([
  [
    "500 with a Status",
    () => status(500, "etcdserver: request timed out"),
    "status 500: etcdserver: request timed out",
  ],
  ["503 with a page", () => ({ status: 503, body: "<html>" }), "status 503"],
  ["429", () => status(429, "too many requests, please try again later."), "status 429: too many requests"],
  ["404 for the whole group", () => status(404, "the server could not find the requested resource"), "status 404"],
  ["a redirect", () => ({ status: 302, body: "" }), "status 302"],
  ["what is no JSON", () => ({ status: 200, body: '{"items":[' }), "with what is not JSON"],
  ["null", () => ({ status: 200, body: "null" }), "the list of autoscalers is not an object"],
  ["no items", () => ({ status: 200, body: { items: null } }), "items is not a list"],
  ["an item that is none", () => ({ status: 200, body: { items: [7] } }), "items[0] is not an object"],
  ["an endless answer", () => ({ status: 200, body: "x".repeat((16 << 20) + 1) }), "is larger than 16777216 bytes"],
])("%s: no figures, with the reason", async (_what, answer, expected) => {
  const { load } = watch(await startApi({ ...atRest(), [paths.autoscalers]: answer }));
  expect(await reason(load())).toContain(expected);
});

test("one that does not answer in time, and does again", async () => {
  const api = await startApi();
  let late = true;
  const body = api.answers[paths.autoscalers] as object;
  api.answers[paths.autoscalers] = () => (late ? new Promise<never>(() => {}) : { status: 200, body });
  const { load } = watch(api, { timeoutMs: 200 });
  expect(await reason(load())).toBe(`the Kubernetes API did not answer GET ${paths.autoscalers} within 200 ms`);
  late = false;
  await expect.poll(() => load().catch(() => undefined)).toMatchObject({ currentLoad: 1 });
});

test("nobody answers at all", async () => {
  const api = await startApi();
  await api.stop();
  expect(await reason(watch(api).load())).toMatch(
    /^the Kubernetes API at 127\.0\.0\.1:\d+ cannot be asked: .*ECONNREFUSED/,
  );
});

test("a token is replaced while the service runs", async () => {
  const api = await startApi();
  const { load } = watch(api);
  await load();
  api.token = "second";
  expect(await reason(load())).toContain("status 401: Unauthorized");
  writeFileSync(join(api.directory, "token"), "second");
  await load();
});

test.each(["token", "ca.crt"])("no %s: no figures, with the file's name", async (file) => {
  const api = await startApi();
  rmSync(join(api.directory, file));
  expect(await reason(watch(api).load())).toMatch(`${api.directory}/${file}`);
  expect(api.asked).toEqual([]);
});

test("a token that HTTP forbids is not shown", async () => {
  const api = await startApi();
  writeFileSync(join(api.directory, "token"), "a\nsecret");
  const message = await reason(watch(api).load());
  expect(message).toContain("Invalid character in header content");
  expect(message).not.toContain("secret");
});

test("another's certificate: nothing is sent to it", async () => {
  const api = await startApi();
  writeFileSync(join(api.directory, "ca.crt"), createCertificate("kubernetes").cert);
  expect(await reason(watch(api).load())).toMatch(/cannot be asked: /);
  expect(api.asked).toEqual([]);
});

test("the autoscaler has no metrics: its own words, logged once for the service", async () => {
  const api = await startApi();
  const words = "the HPA was unable to compute the replica count: no metrics returned from resource metrics API";
  const conditions = [condition("ScalingActive", "False", "FailedGetResourceMetric", words)];
  api.answers[paths.autoscalers] = listOf(autoscaler("echo", { desiredReplicas: 0, conditions }));
  const { load, lines } = watch(api);
  for (let i = 0; i < 2; i++)
    expect(await reason(load())).toBe(`the autoscaler echo has no figures: FailedGetResourceMetric: ${words}`);
  api.answers[paths.autoscalers] = listOf(autoscaler());
  await load();
  expect(lines).toEqual([expect.stringContaining(words), "info: figures are there: default/echo"]);
});

test.each<[string, string, () => Answer, string]>([
  ["metrics-server is not there", paths.pods, () => status(404, "404 page not found"), "status 404"],
  ["metrics-server is down", paths.pods, () => status(503, "unable to handle the request"), "status 503: unable"],
  [
    "metrics are forbidden",
    paths.pods,
    () => status(403, "pods.metrics.k8s.io is forbidden"),
    "status 403: pods.metrics",
  ],
  ["the deployment is forbidden", paths.deployment, () => status(403, "deployments is forbidden"), "status 403: depl"],
  ["no quantity", paths.pods, () => ({ status: 200, body: podMetrics({ a: "much" }) }), "is not a quantity of cpu"],
])("%s: the figures stand, and the cpu has the reason", async (_what, path, answer, expected) => {
  const { load } = watch(await startApi({ ...atRest(), [path]: answer }));
  expect(await load()).toMatchObject({ currentLoad: 1, maxLoad: 2, cpu: { error: expect.stringContaining(expected) } });
});

test("stop drops the question under way", async () => {
  const { load, source } = watch(await startApi({ [paths.autoscalers]: () => new Promise<never>(() => {}) }));
  const asked = reason(load());
  source.stop();
  await asked;
});
