/** A person's own workloads in a cluster, as Pulumi is asked for them. */
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, test } from "vitest";
import { root } from "../../lib/paths.ts";
import { parseConfig } from "../config/config.ts";
import { type Listed, listMade, manifestDigest, none, someCluster } from "../testing/made.ts";
import { createWorkloads } from "./index.ts";
import type { DeploymentManifest } from "./kubernetes/pod.ts";

const known = {
  "pulumi:providers:kubernetes": none,
  "meshup:workloads:Deployed": none,
  "meshup:kubernetes:Rollout": () => ({ pods: [] }),
  "kubernetes:apps/v1:Deployment": none,
  "kubernetes:core/v1:Secret": none,
  "kubernetes:core/v1:Service": none,
  "kubernetes:core/v1:ServiceAccount": none,
};

let listed: Listed;

beforeEach(async () => {
  listed = await listMade(known);
  pulumi.runtime.setAllConfig({ "meshup:token": "hunter2", "meshup:pull": "{}" }, ["meshup:token", "meshup:pull"]);
});

const reference = `registry.localhost:5000/meshup/workload-built@${manifestDigest}`;

/** Every resource of the declared workloads, once all of them are made. */
async function create(workloads: object, { password }: { password?: string } = {}) {
  const config = parseConfig(
    {
      cluster: "kind",
      mesh: "istio",
      routes: JSON.stringify([{ name: "one", path: "/one", workload: Object.keys(workloads)[0] }]),
      workloads: JSON.stringify(workloads),
    },
    "dev",
    [],
    { token: true, pull: true },
  );
  const { cluster, pushed } = someCluster(
    password === undefined ? undefined : { registry: "registry.localhost:5000", username: "me", password },
  );
  const sidecars = {
    dependsOn: [],
    equip: (name: string, manifest: DeploymentManifest) =>
      ({ ...manifest, spec: { ...manifest.spec, paused: name === "web" } }) as never,
  };
  const { resources } = createWorkloads({ config, cluster, sidecars });
  await pulumi.runtime.disconnect();
  return { resources, of: listed.ofKind, one: listed.one, pushed };
}

const web = { image: "ghcr.io/me/web:1.2", port: 3000 };
// biome-ignore lint/suspicious/noExplicitAny: parts of it are asserted on
const podOf = (deployment: any) => deployment.spec.template.spec;

describe("an image", () => {
  test("is a Deployment and a Service of the workload's name, and done when its pods are", async () => {
    const { resources, of, one } = await create({ web });
    expect(resources).toHaveLength(1);
    expect(one("Service", "web")).toMatchObject({
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { app: "web" }, ports: [{ port: 8000, targetPort: "http" }] },
    });
    const rollout = { kubeconfig: "/kubeconfig", namespace: "default", name: "web", version: "uid-of-web@1" };
    expect(one("Rollout", "web")).toMatchObject(rollout);
    expect(one("Deployment", "web").metadata.annotations["pulumi.com/skipAwait"]).toBe("true");
    expect(one("Deployment", "web").spec.paused).toBe(true);
    expect(of("Secret")).toEqual([]);
  });

  test("runs without rights, may write to its own files, and is told where to listen", async () => {
    const { one } = await create({ web: { ...web, env: { HOST: "::", LEVEL: 3 } } });
    const { containers, ...pod } = podOf(one("Deployment", "web"));
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod).not.toHaveProperty("imagePullSecrets");
    expect(containers).toMatchObject([
      {
        image: web.image,
        ports: [{ containerPort: 3000 }],
        readinessProbe: { tcpSocket: { port: "http" } },
        securityContext: {
          readOnlyRootFilesystem: false,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        },
      },
    ]);
    expect(containers[0].env).toEqual([
      { name: "HOST", value: "::" },
      { name: "PORT", value: "3000" },
      { name: "LEVEL", value: "3" },
    ]);
    expect(containers[0].resources).not.toHaveProperty("limits");
  });

  test("that answers when it is healthy is asked; one on a port of root's may have it; HTTP/2 is told to the mesh", async () => {
    const { one } = await create({ web: { ...web, port: 80, healthPath: "/healthz", http2: true } });
    const pod = podOf(one("Deployment", "web"));
    expect(pod.containers[0].readinessProbe.httpGet).toEqual({ path: "/healthz", port: "http" });
    expect(pod.securityContext.sysctls).toEqual([{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }]);
    expect(one("Service", "web").spec.ports[0].appProtocol).toBe("kubernetes.io/h2c");
  });

  test("has its secrets from a Secret, which keeps them as such, and whose name changes with them", async () => {
    const { one, of } = await create({ web: { ...web, env: { TOKEN: { secret: "token" }, PLAIN: "x" } } });
    const { env } = podOf(one("Deployment", "web")).containers[0];
    expect(env).toContainEqual({ name: "TOKEN", valueFrom: { secretKeyRef: { name: "web-auto", key: "TOKEN" } } });
    expect(JSON.stringify(of("Deployment"))).not.toContain("hunter2");
    const { metadata, stringData } = one("Secret", "web");
    expect(metadata).toEqual({ namespace: "default" });
    expect(stringData).toEqual(asSecret({ TOKEN: "hunter2" }));
  });

  test.each([
    ["a Secret that is there", "mine", "mine"],
    ["a secret of the stack's configuration", { secret: "pull" }, "web-pull-auto"],
  ])("is pulled with %s", async (_, pullSecret, name) => {
    const { one } = await create({ web: { ...web, pullSecret } });
    expect(podOf(one("Deployment", "web")).imagePullSecrets).toEqual([{ name }]);
  });
});

describe("a folder with a Dockerfile", () => {
  test("is built and pushed to the stack's registry, and run by its digest", async () => {
    const { one, pushed } = await create({ built: { build: "services", port: 3000 } });
    const args = { repository: "meshup/workload-built", context: `${root}/services`, tag: "built" };
    expect(pushed).toEqual([{ name: "workload-built", args }]);
    expect(podOf(one("Deployment", "built")).containers[0].image).toBe(reference);
  });

  test("is pulled with the registry's password, where it asks for one", async () => {
    const { one, of } = await create({ built: { build: "services", port: 3000 } }, { password: "hunter3" });
    expect(of("Secret").map(({ inputs }) => inputs.type)).toEqual(["kubernetes.io/dockerconfigjson"]);
    expect(podOf(one("Deployment", "built")).imagePullSecrets).toEqual([{ name: "workloads-auto" }]);
  });
});

test("a Service and a URL need nothing made", async () => {
  const service = { service: { name: "cart", port: 80 } };
  const { resources } = await create({ cart: service, api: { url: "https://api.example.com" } });
  expect(resources).toEqual([]);
  expect(listed.made.map(({ type }) => type)).toEqual(["pulumi:providers:kubernetes"]);
});

/** As Pulumi sends a secret (rpc.ts, `specialSigKey`). */
function asSecret(value: unknown) {
  return { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value };
}
