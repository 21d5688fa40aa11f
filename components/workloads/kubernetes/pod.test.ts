import { describe, expect, test } from "vitest";
import { burstingMetrics, role, roleBinding } from "./bursting-metrics.ts";
import { client } from "./client.ts";
import { echo, echoAutoscaler } from "./echo.ts";
import { httpbin } from "./httpbin.ts";
import { metricsServerValues, splitReference } from "./metrics-server.ts";
import { deployment, type PodArgs, service, serviceAccount } from "./pod.ts";
import { codeText, mostBytes, type Program } from "./service-code.ts";

const program = (name: string): Program => ({
  image: "node:22",
  command: ["node", `/srv/${name}.mjs`],
  mounts: [{ path: "/srv", volume: { name: "code", configMap: { name: `${name}-1` } } }],
});

const pods: PodArgs[] = [
  httpbin("httpbin", "default", "httpbin:1"),
  httpbin("httpbin-two", "default", "httpbin:1"),
  echo("default", program("echo")),
  burstingMetrics({ namespace: "default", program: program("bursting-metrics"), periodMs: 700 }),
  client("default", "curl:1"),
];

/** The manifest as the API gets it: what is undefined is not there. */
// biome-ignore lint/suspicious/noExplicitAny: parts of it are asserted on, whatever Pulumi's types allow in their place
const json = (value: unknown): any => JSON.parse(JSON.stringify(value));

describe.each(pods.map((pod) => [pod.name, pod] as const))("the deployment of %s", (name, pod) => {
  const { metadata, spec } = json(deployment(pod));
  const [container] = spec.template.spec.containers;

  test("has no rights", () => {
    expect(spec.template.spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(spec.template.spec.securityContext.runAsUser).toBeGreaterThan(0);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  test("has an account of its own, with a token only where the API is used", () => {
    expect(spec.template.spec.serviceAccountName).toBe(name);
    expect(json(serviceAccount(name, "default"))).toMatchObject({
      metadata: { name },
      automountServiceAccountToken: false,
    });
    expect(spec.template.spec.automountServiceAccountToken).toBe(name === "bursting-metrics");
  });

  test("selects its own pods, and its service does", () => {
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(spec.template.metadata.labels).toMatchObject(json(service(name, "default")).spec.selector);
    expect(metadata.labels).toEqual({ app: name, version: "v1" });
  });

  test("leaves the number of replicas to whoever sets it", () => {
    expect(spec).not.toHaveProperty("replicas");
  });

  test("asks for little", () => {
    expect(Number.parseInt(container.resources.requests.cpu, 10)).toBeLessThanOrEqual(100);
    expect(container.resources.limits).toEqual({ memory: pod.memoryLimit });
  });
});

test.each(pods.filter(({ port }) => port !== undefined).map((pod) => [pod.name, pod] as const))(
  "%s serves at 8000, by a port that a mesh knows to be HTTP, and is probed at it",
  (name, pod) => {
    const [container] = json(deployment(pod)).spec.template.spec.containers;
    expect(json(service(name, "default")).spec.ports).toEqual([{ name: "http", port: 8000, targetPort: "http" }]);
    expect(container.ports).toEqual([{ name: "http", containerPort: 8080 }]);
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"])
      expect(container[probe].httpGet).toEqual({ path: pod.healthPath, port: "http" });
  },
);

test("what a pod reads is mounted, and nothing of it can be written", () => {
  const { spec } = json(deployment(echo("default", program("echo")))).spec.template;
  expect(spec.volumes).toEqual([{ name: "code", configMap: { name: "echo-1" } }]);
  expect(spec.containers[0].volumeMounts).toEqual([{ name: "code", mountPath: "/srv", readOnly: true }]);
  expect(json(deployment(client("default", "curl:1"))).spec.template.spec).not.toHaveProperty("volumes");
});

test("a service that a ConfigMap cannot hold is refused, with its size", () => {
  expect(codeText("echo", "x".repeat(mostBytes))).toHaveLength(mostBytes);
  expect(() => codeText("echo", "é".repeat(mostBytes / 2 + 1))).toThrow(/services\/echo\.ts has 1000002 bytes/);
});

test("the client waits, serves nothing, and goes at once", () => {
  const { spec } = json(deployment(client("default", "curl:1"))).spec.template;
  expect(spec).toMatchObject({ terminationGracePeriodSeconds: 1 });
  expect(spec.containers[0]).toMatchObject({ command: ["sleep", "infinity"], ports: [] });
  expect(spec.containers[0]).not.toHaveProperty("readinessProbe");
});

test("echo's autoscaler goes by 40 % of its cpu, between the configured numbers", () => {
  const { spec } = json(echoAutoscaler("shop", { minReplicas: 2, maxReplicas: 5 }));
  expect(spec).toMatchObject({
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "echo" },
    minReplicas: 2,
    maxReplicas: 5,
    metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 40 } } }],
  });
  const [container] = json(deployment(echo("shop", program("echo")))).spec.template.spec.containers;
  expect(container.resources.requests).toHaveProperty("cpu"); // without it there is no utilization
});

test("bursting-metrics asks the API, answers while it has no figures, and may do nothing else", () => {
  const pod = burstingMetrics({ namespace: "shop", program: program("bursting-metrics"), periodMs: 700 });
  const [container] = json(deployment(pod)).spec.template.spec.containers;
  expect(Object.fromEntries(container.env.map(({ name, value }: Record<string, string>) => [name, value]))).toEqual({
    HOST: "0.0.0.0",
    PORT: "8080",
    LOAD_SOURCE: "kubernetes",
    LOAD_NAMESPACE: "shop",
    LOAD_PERIOD_MS: "700",
  });
  expect(container.readinessProbe.httpGet.path).toBe("/healthz");
  expect(json(role("shop")).rules).toEqual([
    { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"] },
    { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] },
    { apiGroups: ["metrics.k8s.io"], resources: ["pods"], verbs: ["list"] },
  ]);
  expect(json(roleBinding("shop"))).toMatchObject({
    metadata: { namespace: "shop" },
    roleRef: { kind: "Role", name: "bursting-metrics" },
    subjects: [{ kind: "ServiceAccount", name: "bursting-metrics", namespace: "shop" }],
  });
});

describe("metrics-server", () => {
  test("trusts kind's kubelets; the image is the chart's own unless one is given", () => {
    expect(metricsServerValues(undefined).args).toContain("--kubelet-insecure-tls");
    expect(metricsServerValues(undefined)).not.toHaveProperty("image");
    expect(metricsServerValues("mirror:5000/ms:v1")).toMatchObject({
      image: { repository: "mirror:5000/ms", tag: "v1" },
    });
  });

  test.each([
    ["ms", { repository: "ms" }],
    ["mirror:5000/ms", { repository: "mirror:5000/ms" }],
    ["mirror:5000/ms:v1", { repository: "mirror:5000/ms", tag: "v1" }],
    ["mirror/ms@sha256:0a", { repository: "mirror/ms@sha256", tag: "0a" }],
  ])("%s", (reference, parts) => {
    expect(splitReference(reference)).toEqual(parts);
  });
});
