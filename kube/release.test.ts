import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { KubeApi } from "./api.ts";
import { ObjectLists } from "./objects.ts";
import { objectsOf, parseRelease, type RecordedRelease, releaseDrift } from "./release.ts";
import { type Answers, fakeCluster } from "./testing/kubernetes.ts";

const manifest = `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: controller, namespace: system }
spec:
  replicas: 1
  template:
    spec:
      containers: [{ name: c, resources: { requests: { cpu: 1000m } } }]
      volumes:
        - { name: v, secret: { secretName: certificates } }
        - { name: w, configMap: { name: not-needed, optional: true } }
---
# nothing but a comment
---
apiVersion: v1
kind: Service
metadata: { name: controller }
spec: { ports: [{ port: 80 }] }
`;
const encoded = gzipSync(JSON.stringify({ name: "eg", manifest })).toString("base64");

const release: RecordedRelease = {
  ...{ urn: "urn:eg", name: "eg", namespace: "system" },
  resourceNames: { "Deployment.apps/apps/v1": ["system/controller"], "Service/v1": ["controller"] },
};
const deployedAt = 1_800_000_000;
const time = (seconds: number) => new Date((deployedAt + seconds) * 1000).toISOString();

const deployment = (over: object = {}) => ({
  replicas: 1,
  template: {
    spec: {
      containers: [{ name: "c", image: "filled-in", resources: { requests: { cpu: "1" } } }],
      volumes: [
        { name: "v", secret: { secretName: "certificates" } },
        { name: "w", configMap: { name: "not-needed", optional: true } },
      ],
    },
  },
  ...over,
});

/** All is well, but for what is given. */
function cluster(
  over: {
    deployment?: object;
    by?: object[];
    secrets?: string[];
    controller?: boolean;
    service?: boolean;
    storage?: boolean;
  } = {},
): Answers {
  const { by = [], controller = true, service = true, secrets = ["certificates"], storage = true } = over;
  const labels = { owner: "helm", name: "eg", version: "2", modifiedAt: String(deployedAt) };
  const stored = (version: string) => ({
    metadata: { name: `sh.helm.release.v1.eg.v${version}`, labels: { ...labels, version } },
  });
  const metadata = {
    ...{ name: "controller", namespace: "system" },
    managedFields: [{ manager: "pulumi-resource-kubernetes", time: time(0) }, ...by],
  };
  return {
    "GET /apis/apps/v1": () => ({ resources: [{ kind: "Deployment", name: "deployments", namespaced: true }] }),
    "GET /api/v1": () => ({
      resources: ["Service", "Secret", "ConfigMap"].map((kind) => ({
        kind,
        name: `${kind.toLowerCase()}s`,
        namespaced: true,
      })),
    }),
    "GET /apis/apps/v1/namespaces/system/deployments": () => ({ items: controller ? [{ metadata }] : [] }),
    "GET /apis/apps/v1/namespaces/system/deployments/controller": () => ({
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
      spec: deployment(over.deployment),
    }),
    "GET /api/v1/namespaces/system/services": () => ({ items: service ? [{ metadata: { name: "controller" } }] : [] }),
    "GET /api/v1/namespaces/system/secrets": () => ({
      items: [...secrets.map((name) => ({ metadata: { name } })), ...(storage ? [stored("10"), stored("9")] : [])],
    }),
    "GET /api/v1/namespaces/system/configmaps": () => ({ items: [] }),
    "GET /api/v1/namespaces/system/secrets/sh.helm.release.v1.eg.v10": () => ({
      data: { release: Buffer.from(encoded).toString("base64") },
    }),
  };
}

async function look(answers: Answers) {
  const { kubeconfig, asked } = await fakeCluster(answers);
  const api = await KubeApi.open(kubeconfig);
  const [found] = await releaseDrift(api, new ObjectLists(api), [release]);
  return { what: found?.what, text: found?.text, hooks: found?.hooks, asked };
}

describe("a release", () => {
  const person = { manager: "kubectl-edit", time: time(60) };

  it("as it was made: Helm's record of it is not read", async () => {
    const { what, asked } = await look(cluster());
    expect(what).toBeUndefined();
    expect(asked.filter((path) => path.includes("sh.helm.release"))).toEqual([]);
  });

  it("that Helm knows nothing of is gone", async () => {
    expect(await look(cluster({ storage: false }))).toMatchObject({
      what: "gone",
      text: ["Helm's release eg is gone"],
    });
  });

  it.each([
    ["whose service is gone", cluster({ service: false }), "Service system/controller is gone"],
    [
      "whose hooks' secret is gone",
      cluster({ secrets: [] }),
      "Secret system/certificates is gone, which controller needs",
    ],
    [
      "scaled to nothing",
      cluster({ deployment: { replicas: 0 } }),
      "Deployment system/controller has been scaled to nothing",
    ],
    [
      "changed by hand",
      cluster({
        deployment: { template: { spec: { containers: [{ name: "c", resources: { requests: { cpu: "2" } } }] } } },
        by: [person],
      }),
      "Deployment system/controller has been changed by hand: spec.template.spec.containers.0.resources.requests.cpu",
    ],
  ])("%s", async (_what, answers, text) => {
    expect(await look(answers)).toMatchObject({ what: "broken", text: [text] });
  });

  it("whose controller is gone with what its hooks have made is in need of its hooks", async () => {
    expect(await look(cluster({ controller: false, secrets: [] }))).toMatchObject({
      text: ["Deployment system/controller is gone", "Secret system/certificates is gone, which controller needs"],
      hooks: true,
    });
    expect(await look(cluster({ controller: false }))).toMatchObject({
      text: ["Deployment system/controller is gone"],
      hooks: false,
    });
  });

  it.each([
    ["a controller wrote to", [{ manager: "pilot-discovery", time: time(60) }]],
    ["somebody wrote to before it was deployed last", [{ ...person, time: time(-60) }]],
    ["only its state was written of", [{ ...person, subresource: "status" }]],
  ])("which %s is as it was made", async (_what, by) => {
    expect((await look(cluster({ deployment: { replicas: 2 }, by }))).what).toBeUndefined();
  });

  it("that was restarted by hand asks for nothing else than it has", async () => {
    expect((await look(cluster({ by: [person] }))).what).toBeUndefined();
  });
});

it("lists objects of a chart with or without a namespace", () => {
  const resourceNames = {
    "ClusterRole.rbac.authorization.k8s.io/rbac.authorization.k8s.io/v1": ["eg"],
    "Service/v1": ["other/a"],
  };
  expect(objectsOf({ namespace: "system", resourceNames })).toEqual([
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", namespace: "system", name: "eg" },
    { apiVersion: "v1", kind: "Service", namespace: "other", name: "a" },
  ]);
});

it("reads Helm's record", () => {
  expect([...parseRelease(encoded).keys()]).toEqual(["Deployment controller", "Service controller"]);
});
