/** A Kubernetes API server for tests: HTTPS, a token to check, and objects as a real one (v1.34) gives them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createCertificate } from "./certificate.ts";

export const certificate = createCertificate("kubernetes");

export const paths = {
  autoscalers: "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
  deployment: "/apis/apps/v1/namespaces/default/deployments/echo",
  pods: "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Decho",
};

/** What a path is answered with: JSON with status 200, or anything else by a function. */
export type Answers = Record<string, object | (() => Answer | Promise<Answer>)>;
export interface Answer {
  status: number;
  body: string | object;
}

export interface FakeApi {
  host: string;
  port: number;
  /** Folder with the service account's `token` and `ca.crt`. */
  directory: string;
  /** May be changed while it runs. */
  answers: Answers;
  /** The token that it takes. */
  token: string;
  /** Paths asked for, in order. */
  asked: string[];
  stop(): Promise<void>;
}

export async function startApi(answers: Answers = atRest()): Promise<FakeApi> {
  const directory = mkdtempSync(join(tmpdir(), "meshup-account-"));
  writeFileSync(join(directory, "token"), "first\n");
  writeFileSync(join(directory, "ca.crt"), certificate.cert);

  const server = createServer(certificate, async (request, response) => {
    const path = request.url ?? "";
    api.asked.push(path);
    const { status, body } =
      request.headers.authorization === `Bearer ${api.token}` ? await answerTo(api.answers[path]) : unauthorized;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () => stopServer(server);
  const api: FakeApi = { host: "127.0.0.1", port, directory, answers, token: "first", asked: [], stop };
  onTestFinished(async () => {
    await stop();
    rmSync(directory, { recursive: true });
  });
  return api;
}

async function answerTo(answer: Answers[string] | undefined): Promise<Answer> {
  if (typeof answer === "function") return await answer();
  return answer ? { status: 200, body: answer } : status(404, "the server could not find the requested resource");
}

function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A refusal, as the API words all of them. */
export function status(code: number, message: string, reason = ""): Answer {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return { status: code, body };
}

export const unauthorized = status(401, "Unauthorized", "Unauthorized");
export const forbidden = status(
  403,
  'horizontalpodautoscalers.autoscaling is forbidden: User "system:serviceaccount:default:bursting-metrics" cannot list resource "horizontalpodautoscalers" in API group "autoscaling" in the namespace "default"',
  "Forbidden",
);

/** One replica at rest, of at most two. */
export function atRest(): Answers {
  return {
    [paths.autoscalers]: listOf(autoscaler()),
    [paths.deployment]: deployment(),
    [paths.pods]: podMetrics({ "echo-1": "1234567n" }),
  };
}

export function listOf(...items: object[]): object {
  return {
    kind: "HorizontalPodAutoscalerList",
    apiVersion: "autoscaling/v2",
    metadata: { resourceVersion: "1" },
    items,
  };
}

/** @param status is put over the one at rest */
export function autoscaler(name = "echo", status: object = {}) {
  return {
    metadata: { name, namespace: "default", uid: "6b8b6c2e", creationTimestamp: "2026-11-21T02:38:18Z" },
    spec: {
      scaleTargetRef: { kind: "Deployment", name, apiVersion: "apps/v1" },
      minReplicas: 1,
      maxReplicas: 2,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 40 } } },
      ],
    },
    status: {
      currentReplicas: 1,
      desiredReplicas: 1,
      currentMetrics: [
        { type: "Resource", resource: { name: "cpu", current: { averageValue: "1m", averageUtilization: 1 } } },
      ],
      conditions: [
        condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
        condition(
          "ScalingActive",
          "True",
          "ValidMetricFound",
          "the HPA was able to successfully calculate a replica count",
        ),
      ],
      ...status,
    },
  };
}

export function condition(type: string, status: string, reason: string, message: string, at = Date.now()) {
  return { type, status, reason, message, lastTransitionTime: new Date(at).toISOString() };
}

export function deployment() {
  const container = { name: "echo", image: "echo", resources: { requests: { cpu: "100m", memory: "48Mi" } } };
  return {
    kind: "Deployment",
    apiVersion: "apps/v1",
    metadata: { name: "echo", namespace: "default" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "echo" } },
      template: { metadata: { labels: { app: "echo" } }, spec: { containers: [container] } },
    },
  };
}

/** @param usage cpu by pod */
export function podMetrics(usage: Record<string, string>) {
  const items = Object.entries(usage).map(([name, cpu]) => ({
    metadata: { name, namespace: "default", labels: { app: "echo" } },
    timestamp: "2026-11-21T02:38:29Z",
    window: "10.073s",
    containers: [{ name: "echo", usage: { cpu, memory: "39004Ki" } }],
  }));
  return { kind: "PodMetricsList", apiVersion: "metrics.k8s.io/v1beta1", metadata: {}, items };
}
