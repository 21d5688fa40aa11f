import { describe, expect, it } from "vitest";
import { KubeApi } from "./api.ts";
import { asAskedFor, driftOf, putBack, type RecordedObject } from "./drift.ts";
import { ObjectLists } from "./objects.ts";
import { Answer, type Answers, fakeCluster } from "./testing/kubernetes.ts";

const routesPath = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes";
const kinds = (...resources: object[]) => ({ resources });
const discovery: Answers = {
  "GET /apis/gateway.networking.k8s.io/v1": () =>
    kinds(
      { kind: "HTTPRoute", name: "httproutes", namespaced: true },
      { kind: "HTTPRoute", name: "httproutes/status", namespaced: true },
    ),
  "GET /apis/apps/v1": () => kinds({ kind: "Deployment", name: "deployments", namespaced: true }),
  "GET /api/v1": () =>
    kinds(
      { kind: "ConfigMap", name: "configmaps", namespaced: true },
      { kind: "Secret", name: "secrets", namespaced: true },
      { kind: "Namespace", name: "namespaces", namespaced: false },
    ),
};

type Live = RecordedObject["object"];
const route = (over: object = {}, metadata: object = {}): Live =>
  ({
    ...{ apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
    metadata: { name: "one", namespace: "default", uid: "u1", generation: 1, resourceVersion: "10", ...metadata },
    spec: { rules: [{ backendRefs: [{ name: "httpbin", port: 8000, weight: 1 }] }] },
    ...over,
  }) as Live;
const recorded = (object: Live = route(), inputs: object = {}): RecordedObject => ({
  ...{ urn: "urn:one", namespace: "default", name: object.metadata.name, object, isPatch: false },
  ...{ apiVersion: String(object.apiVersion), kind: String(object.kind) },
  inputs: {
    ...{ apiVersion: object.apiVersion, kind: object.kind, metadata: { name: "one", namespace: "default" } },
    spec: { rules: [{ backendRefs: [{ name: "httpbin", port: 8000 }] }] },
    ...inputs,
  },
});

/** What is found of an object, where the cluster has this one. */
async function look(object: RecordedObject, live: Live | undefined, path = routesPath) {
  const answers: Answers = {
    ...discovery,
    [`GET ${path}`]: () => ({ items: live ? [{ metadata: live.metadata }] : [] }),
    [`GET ${path}/${object.name}`]: () => live,
  };
  const { kubeconfig, asked } = await fakeCluster(answers);
  const api = await KubeApi.open(kubeconfig);
  const found = await driftOf(api, new ObjectLists(api), [object]);
  return { what: found[0]?.what, text: found[0]?.text, asked };
}

describe("an object", () => {
  it("as it was made: its content is not asked for", async () => {
    const { what, asked } = await look(recorded(), route());
    expect(what).toBeUndefined();
    expect(asked).not.toContain(`GET ${routesPath}/one`);
  });

  it("that is gone", async () => {
    expect(await look(recorded(), undefined)).toMatchObject({ what: "gone", text: "HTTPRoute default/one is gone" });
  });

  it("that is on its way out is as good as gone", async () => {
    const { what } = await look(recorded(), route({}, { deletionTimestamp: "2026-01-01T00:00:00Z" }));
    expect(what).toBe("gone");
  });

  it("whose kind has gone is gone with it", async () => {
    const object = recorded(route({ apiVersion: "nobody.example.com/v1" }));
    expect((await look(object, undefined)).what).toBe("gone");
  });

  it.each([
    ["a field of the stack's", { spec: { rules: [{ backendRefs: [{ name: "other", port: 8000, weight: 1 }] }] } }],
    [
      "a field that the stack does not ask for",
      { spec: { ...(route().spec as object), hostnames: ["a.example.com"] } },
    ],
  ])("in which somebody has changed %s", async (_what, change) => {
    const { what, text } = await look(recorded(), route(change, { generation: 2, resourceVersion: "11" }));
    expect(what).toBe("changed");
    expect(text).toMatch(/^HTTPRoute default\/one has been changed by hand: spec\.(rules\.0\.backendRefs|hostnames)/);
  });

  it("that was changed and changed back is as it was made", async () => {
    expect((await look(recorded(), route({}, { generation: 3, resourceVersion: "12" }))).what).toBeUndefined();
  });

  it("that was deleted and made by hand is not the stack's", async () => {
    expect((await look(recorded(), route({}, { uid: "u2" }))).text).toMatch(/it was made anew$/);
  });

  it("that has lost a label of the stack's", async () => {
    const object = recorded(route({}, { labels: { app: "one" } }), { metadata: { labels: { app: "one" } } });
    expect((await look(object, route({}, { labels: { more: "x" } }))).text).toMatch(/metadata\.labels\.app$/);
    expect((await look(object, route({}, { labels: { app: "one", more: "x" } }))).what).toBeUndefined();
  });

  it("without generations is told by its content, and a secret's by its version", async () => {
    const map = (data: object, resourceVersion: string, kind = "ConfigMap"): Live =>
      ({ apiVersion: "v1", kind, metadata: { name: "one", uid: "u1", resourceVersion }, data }) as Live;
    const path = "/api/v1/namespaces/default/configmaps";
    const object = recorded(map({ a: "1" }, "1"));
    expect((await look(object, map({ a: "1" }, "2"), path)).what).toBeUndefined();
    expect((await look(object, map({ a: "2" }, "2"), path)).text).toMatch(/data\.a$/);
    const secret = recorded(
      map({ a: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" } }, "1", "Secret"),
    );
    const secrets = "/api/v1/namespaces/default/secrets";
    expect((await look(secret, map({ a: "eA==" }, "1", "Secret"), secrets)).what).toBeUndefined();
    expect((await look(secret, map({ a: "eQ==" }, "2", "Secret"), secrets)).text).toMatch(/its content$/);
  });
});

describe("a deployment", () => {
  const path = "/apis/apps/v1/namespaces/default/deployments";
  const deployment = (spec: object, generation = 1): Live =>
    ({
      ...{ apiVersion: "apps/v1", kind: "Deployment" },
      metadata: { name: "one", namespace: "default", uid: "u1", generation, resourceVersion: String(generation) },
      spec: { replicas: 1, template: { metadata: { labels: { app: "one" } }, spec: { containers: [] } }, ...spec },
    }) as Live;
  const annotated = (annotations: object) => ({
    template: { metadata: { labels: { app: "one" }, annotations }, spec: { containers: [] } },
  });

  it.each([
    ["scaled by its autoscaler, or a person", { replicas: 3 }, undefined],
    ["restarted", annotated({ "kubectl.kubernetes.io/restartedAt": "2026-01-01" }), undefined],
    ["scaled to nothing", { replicas: 0 }, "changed"],
    ["with another annotation on its pods", annotated({ other: "x" }), "changed"],
    ["paused", { paused: true }, "changed"],
  ])("%s", async (_how, change, what) => {
    const object = recorded(deployment({}), { spec: { template: {} } });
    expect((await look(object, deployment(change, 2), path)).what).toBe(what);
  });

  it("keeps the number of its pods when it is put back, unless that is none", () => {
    const inputs = { metadata: {}, spec: { template: { x: 1 } } };
    expect(asAskedFor(deployment({ replicas: 3 }), inputs).spec).toEqual({ template: { x: 1 }, replicas: 3 });
    expect(asAskedFor(deployment({ replicas: 0 }), inputs).spec).toEqual({ template: { x: 1 } });
    expect(asAskedFor(deployment({ replicas: 0 }), { metadata: {}, spec: { template: {}, replicas: 2 } }).spec).toEqual(
      {
        template: {},
        replicas: 2,
      },
    );
  });
});

describe("an addition to somebody else's object", () => {
  const namespace = (labels: object) =>
    ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "default", uid: "u", resourceVersion: "1", labels },
    }) as Live;
  const patch: RecordedObject = {
    ...recorded(namespace({ "istio-injection": "enabled" })),
    ...{
      isPatch: true,
      namespace: undefined,
      inputs: { metadata: { name: "default", labels: { "istio-injection": "enabled" } } },
    },
  };

  it("is missed when it is gone, and the rest is not the stack's", async () => {
    const path = "/api/v1/namespaces";
    expect((await look(patch, namespace({ "istio-injection": "disabled" }), path)).text).toMatch(
      /labels\.istio-injection$/,
    );
    expect((await look(patch, namespace({}), path)).what).toBe("changed");
    expect((await look(patch, namespace({ "istio-injection": "enabled", other: "x" }), path)).what).toBeUndefined();
  });

  it("is added again", async () => {
    const sent: unknown[] = [];
    await put(patch, { "PATCH /api/v1/namespaces/default": (_query, body) => sent.push(body) });
    expect(sent).toEqual([{ metadata: patch.inputs.metadata }]);
  });
});

async function put(object: RecordedObject, answers: Answers, controllersBroken?: boolean) {
  const { kubeconfig, asked } = await fakeCluster({ ...discovery, ...answers });
  const api = await KubeApi.open(kubeconfig);
  await putBack(api, new ObjectLists(api), object, controllersBroken);
  return asked;
}

describe("putting an object back", () => {
  const live = route(
    { spec: { hostnames: ["a.example.com"], rules: [] }, status: { parents: [] } },
    { labels: { theirs: "x" }, finalizers: ["f"], managedFields: [{}], resourceVersion: "11" },
  );

  it("leaves nothing of its content but what the stack asks for, and others' marks on it", async () => {
    const sent: unknown[] = [];
    const object = recorded(route(), { metadata: { name: "one", namespace: "default", annotations: { a: "b" } } });
    await put(object, {
      [`GET ${routesPath}/one`]: () => live,
      [`PUT ${routesPath}/one`]: (_query, body) => sent.push(body),
    });
    expect(sent).toEqual([
      {
        ...{ apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", status: { parents: [] } },
        metadata: {
          ...{ name: "one", namespace: "default", uid: "u1", generation: 1, resourceVersion: "11", finalizers: ["f"] },
          ...{ labels: { theirs: "x" }, annotations: { a: "b" } },
        },
        spec: object.inputs.spec,
      },
    ]);
  });

  it("deletes one that cannot be put back, for the stack to make it anew", async () => {
    const refusing = {
      [`GET ${routesPath}/one`]: () => live,
      [`PUT ${routesPath}/one`]: () => new Answer(422, "field is immutable"),
      [`DELETE ${routesPath}/one`]: () => ({}),
    };
    expect(await put(recorded(), refusing)).toContain(`DELETE ${routesPath}/one`);
    const secret = recorded(route(), {
      data: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" },
    });
    expect(await put(secret, refusing)).not.toContain(`PUT ${routesPath}/one`);
  });

  it("deletes one that a broken controller's webhook keeps from being written: the stack makes it anew after that", async () => {
    const refusing = {
      [`GET ${routesPath}/one`]: () => live,
      [`PUT ${routesPath}/one`]: () => new Answer(500, "failed calling webhook"),
      [`DELETE ${routesPath}/one`]: () => ({}),
    };
    expect(await put(recorded(), refusing, true)).toContain(`DELETE ${routesPath}/one`);
  });

  it("writes again where its controller has written in between", async () => {
    let writes = 0;
    const asked = await put(recorded(), {
      [`GET ${routesPath}/one`]: () => live,
      [`PUT ${routesPath}/one`]: () => (++writes < 3 ? new Answer(409, "the object has been modified") : {}),
    });
    expect(asked.filter((what) => what.startsWith("PUT"))).toHaveLength(3);
    expect(asked.filter((what) => what.startsWith("DELETE"))).toEqual([]);
  });

  it.each([
    ["that a webhook is down for", recorded(), 500],
    ["that a controller goes on writing to", recorded(), 409],
    ["that others' objects are in", recorded({ ...route(), apiVersion: "v1", kind: "Namespace" }), 422],
  ])("never deletes one %s, and says why it cannot be put back", async (_what, object, status) => {
    const path = object.kind === "Namespace" ? "/api/v1/namespaces/one" : `${routesPath}/one`;
    const deleted: string[] = [];
    const refusing = {
      [`GET ${path}`]: () => live,
      [`PUT ${path}`]: () => new Answer(status, "no such luck"),
      [`DELETE ${path}`]: () => deleted.push(path),
    };
    await expect(put(object, refusing)).rejects.toThrow(/one has been changed by hand, and cannot be put back: .*luck/);
    expect(deleted).toEqual([]);
  });
});
