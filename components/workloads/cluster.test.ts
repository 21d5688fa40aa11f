import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, test } from "vitest";
import { scratch } from "../../provider/testing/scratch.ts";
import { type Known, type Listed, listMade, none } from "../testing/made.ts";
import { ClusterWorkloads, type ClusterWorkloadsArgs } from "./cluster.ts";
import { demoInCluster } from "./demo.ts";

let listed: Listed;

/** What the provider would add to the inputs. A type that is not here is an error. */
const known: Known = {
  "pulumi:providers:kubernetes": none,
  "meshup:workloads:Cluster": none,
  "meshup:workloads:ServiceCode": none,
  "meshup:local:Bundle": ({ entry }) => {
    const sha256 = createHash("sha256").update(`bundle of ${entry}`).digest("hex");
    const file = join(scratch(), `${sha256}.mjs`);
    writeFileSync(file, `bundle of ${entry}`);
    return { sha256, file };
  },
  "kubernetes:core/v1:ConfigMap": none,
  "kubernetes:apps/v1:Deployment": none,
  "kubernetes:core/v1:Service": none,
  "kubernetes:core/v1:ServiceAccount": none,
  "kubernetes:rbac.authorization.k8s.io/v1:Role": none,
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": none,
  "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": none,
  "kubernetes:helm.sh/v3:Release": none,
};

beforeEach(async () => {
  listed = await listMade(known);
});

/** Every resource of the component, once all of them are made. */
async function create(args: Partial<ClusterWorkloadsArgs> = {}) {
  const provider = new kubernetes.Provider("cluster", {});
  new ClusterWorkloads(
    "workloads",
    {
      config: { load: { capacity: 4, minReplicas: 1, maxReplicas: 3, periodMs: 700 } },
      metricsServer: {
        chart: "metrics-server",
        version: "1.2.3",
        repositoryOpts: { repo: "https://charts.example.com" },
      },
      image: (name) => name,
      ...args,
    },
    { providers: [provider] },
  );
  await pulumi.runtime.disconnect();
  return { of: listed.ofKind, one: listed.one };
}

describe("the workloads in a cluster", () => {
  test("are five deployments, four of them with a service, each with an account", async () => {
    const { of } = await create();
    const names = ["bursting-metrics", "client", "echo", "httpbin", "httpbin-two"];
    expect(
      of("Deployment")
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names);
    expect(
      of("ServiceAccount")
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names);
    expect(
      of("Service")
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names.filter((name) => name !== "client"));
    for (const { inputs } of [...of("Deployment"), ...of("Service"), ...of("HorizontalPodAutoscaler")])
      expect(inputs.metadata.namespace).toBe("default");
  });

  test("echo and bursting-metrics run their bundles in Node's own image, from a map that another content replaces", async () => {
    const { one } = await create({ image: (name) => name.replace("docker.io", "mirror.example.com") });
    for (const name of ["echo", "bursting-metrics"]) {
      const map = one("ConfigMap", name);
      const content = `bundle of services/${name}.ts`;
      // Pulumi gives it a name, and another content another name.
      expect(map).toMatchObject({ metadata: { namespace: "default" }, immutable: true });
      expect(map.metadata.name).toBeUndefined();
      expect(map.data).toEqual({ [`${name}.mjs`]: content });
      const { containers, volumes } = one("Deployment", name).spec.template.spec;
      expect(containers[0]).toMatchObject({
        image: "mirror.example.com/library/node:22-slim",
        command: ["node", `/srv/${name}.mjs`],
      });
      expect(volumes).toEqual([{ name: "code", configMap: { name: `${name}-auto` } }]);
    }
  });

  test("images and charts are what the stack takes in place of the internet's", async () => {
    const { one } = await create({
      image: (name) => `mirror.example.com/${name.split("/").at(-1)}`,
      metricsServer: { chart: "/charts/metrics-server.tgz" },
    });
    const image = (name: string) => one("Deployment", name).spec.template.spec.containers[0].image;
    expect(image("httpbin")).toBe("mirror.example.com/go-httpbin:2.26.0");
    expect(image("client")).toBe("mirror.example.com/curl:8.17.0");
    expect(one("Release", "metrics-server")).toMatchObject({
      chart: "/charts/metrics-server.tgz",
      values: { image: { repository: "mirror.example.com/metrics-server" } },
    });
    expect(one("Release", "metrics-server")).not.toHaveProperty("repositoryOpts");
  });

  test("metrics-server comes from its repository, with its own image, where nothing takes their place", async () => {
    const release = (await create()).one("Release", "metrics-server");
    expect(release).toMatchObject({
      name: "metrics-server",
      namespace: "kube-system",
      chart: "metrics-server",
      version: "1.2.3",
      repositoryOpts: { repo: "https://charts.example.com" },
    });
    expect(release.values).not.toHaveProperty("image");
  });

  test("a cluster that has metrics-server gets no second one", async () => {
    const { of } = await create({ metricsServer: undefined });
    expect(of("Release")).toEqual([]);
    expect(of("HorizontalPodAutoscaler")).toHaveLength(1);
  });

  test("the autoscaler's range and the period of the figures are the configured ones", async () => {
    const { one } = await create();
    expect(one("HorizontalPodAutoscaler", "echo").spec).toMatchObject({ minReplicas: 1, maxReplicas: 3 });
    expect(one("Deployment", "bursting-metrics").spec.template.spec.containers[0].env).toContainEqual({
      name: "LOAD_PERIOD_MS",
      value: "700",
    });
  });

  test("another namespace holds all of them, and the rights", async () => {
    const { of, one } = await create({ namespace: "shop" });
    for (const kind of ["Deployment", "Service", "ServiceAccount", "Role", "RoleBinding", "HorizontalPodAutoscaler"])
      for (const { inputs } of of(kind)) expect(inputs.metadata.namespace).toBe("shop");
    expect(one("RoleBinding", "bursting-metrics").subjects[0].namespace).toBe("shop");
  });

  test("each backend is a Service that is made, and its pods have the labels that it says", async () => {
    const { one } = await create();
    for (const { name, at, pods } of demoInCluster("default")) {
      if (at.type !== "service") throw new Error(`${name} is no Service`);
      const made = one("Service", at.service);
      expect(made.metadata).toMatchObject({ name: at.service, namespace: at.namespace });
      expect(made.spec.ports.map(({ port }: { port: number }) => port)).toEqual([at.port]);
      expect(made.spec.selector).toEqual(pods?.selector);
      expect(one("Deployment", name).spec.template.metadata.labels).toEqual(pods?.labels);
    }
  });
});
