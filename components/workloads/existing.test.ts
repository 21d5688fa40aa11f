import { describe, expect, test } from "vitest";
import { type Answers, fakeCluster } from "../../kube/testing/kubernetes.ts";
import { findSecret, findService } from "./existing.ts";
import type { KeyError } from "./reach.ts";

const at = "/api/v1/namespaces/shop/services";
const service = {
  metadata: { name: "cart" },
  spec: {
    selector: { app: "cart" },
    ports: [
      { name: "http", port: 80 },
      { name: "grpc-web", port: 90 },
      { name: "other", port: 91, appProtocol: "kubernetes.io/h2c" },
      { name: "dns", port: 53, protocol: "UDP" },
    ],
  },
};
const pod = (name: string, labels: Record<string, string>, containers: string[], initContainers: string[] = []) => ({
  metadata: { name, namespace: "shop", labels: { app: "cart", ...labels } },
  spec: {
    containers: containers.map((name) => ({ name })),
    initContainers: initContainers.map((name) => ({ name })),
  },
});

/** A cluster in which the Service is there and two of its pods are ready. */
const cluster = (more: Answers = {}) =>
  fakeCluster({
    "GET /version": () => ({}),
    "GET /api/v1/namespaces/shop": () => ({}),
    [`GET ${at}`]: () => ({ items: [{ metadata: { name: "stock" } }, { metadata: { name: "cart" } }] }),
    [`GET ${at}/cart`]: () => service,
    "GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices": (query) =>
      query.get("labelSelector") === "kubernetes.io/service-name=cart"
        ? {
            items: [
              { endpoints: [{ conditions: { ready: false } }] },
              { endpoints: [{ conditions: { ready: true } }] },
            ],
          }
        : undefined,
    "GET /api/v1/namespaces/shop/pods": () => ({
      items: [
        pod("a", { version: "v1", "pod-template-hash": "1" }, ["cart"], ["istio-proxy"]),
        pod("b", { version: "v1", "pod-template-hash": "2" }, ["cart", "istio-proxy"]),
      ],
    }),
    ...more,
  });

const find = (kubeconfig: string, port = 80, name = "cart", namespace = "shop") =>
  findService("mine", { kind: "service", service: { namespace, name, port } }, kubeconfig);

async function refusal(looking: Promise<unknown>): Promise<string> {
  const error = await looking.then(
    (found) => expect.fail(`it was taken: ${JSON.stringify(found)}`),
    (error: KeyError) => error,
  );
  return `${error.key}: ${error.message}`;
}

describe("a Service that is there", () => {
  test("with what selects its pods, and what they all have", async () => {
    const { kubeconfig } = await cluster();
    expect(await find(kubeconfig)).toEqual({
      name: "mine",
      at: { type: "service", namespace: "shop", service: "cart", port: 80, http: 1 },
      pods: {
        namespace: "shop",
        selector: { app: "cart" },
        labels: { app: "cart", version: "v1" },
        containers: ["cart", "istio-proxy"],
      },
    });
  });

  test.each([90, 91])("its port %i speaks HTTP/2, as its name or its protocol says", async (port) => {
    const { kubeconfig } = await cluster();
    expect((await find(kubeconfig, port)).at.http).toBe(2);
  });

  test("without a selector: whoever answers for it, its pods are not known", async () => {
    const { kubeconfig } = await cluster({
      [`GET ${at}/cart`]: () => ({ ...service, spec: { ...service.spec, selector: undefined } }),
    });
    expect(await find(kubeconfig)).not.toHaveProperty("pods");
  });
});

describe("what is told of one that is of no use", () => {
  test.each([
    ["another name: those that there are", 80, "crt", "service: there is no Service shop/crt; shop has cart, stock"],
    [
      "another port: those that it has",
      8080,
      "cart",
      "service.port: the Service shop/cart has no port 8080; it has 80 http TCP, 90",
    ],
    ["a port of UDP", 53, "cart", "service.port: the Service shop/cart has no port 53; it has"],
  ])("%s", async (_, port, name, message) => {
    const { kubeconfig } = await cluster();
    expect(await refusal(find(kubeconfig, port, name))).toContain(message);
  });

  test("a namespace that is not there, or is empty", async () => {
    const { kubeconfig } = await cluster({ "GET /api/v1/namespaces/empty": () => ({}) });
    expect(await refusal(find(kubeconfig, 80, "cart", "nowhere"))).toBe(
      "service: there is no Service nowhere/cart, nor a namespace nowhere",
    );
    expect(await refusal(find(kubeconfig, 80, "cart", "empty"))).toBe(
      "service: there is no Service empty/cart; the namespace has none",
    );
  });

  test("another name for a host", async () => {
    const { kubeconfig } = await cluster({
      [`GET ${at}/cart`]: () => ({ ...service, spec: { ...service.spec, type: "ExternalName" } }),
    });
    expect(await refusal(find(kubeconfig))).toContain("is but another name for a host: make it a url");
  });

  test("no pod is ready", async () => {
    const { kubeconfig } = await cluster({
      "GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices": () => ({ items: [{ endpoints: [] }] }),
    });
    expect(await refusal(find(kubeconfig))).toContain("no pod of the Service shop/cart is ready");
  });

  test("no cluster yet, or one that has gone", async () => {
    expect(await refusal(find("/nowhere/kubeconfig"))).toMatch(
      /^service: the stack's cluster is not there yet: bring the stack up without it/,
    );
    const { kubeconfig, stop } = await cluster();
    await stop();
    expect(await refusal(find(kubeconfig))).toMatch(
      /^service: the cluster at .* does not answer.* Where it has gone, /,
    );
  });
});

describe("a Secret to pull images with", () => {
  const look = (kubeconfig: string, name: string) => findSecret("pullSecret", { namespace: "shop", name }, kubeconfig);

  test("is there, and is one", async () => {
    const { kubeconfig } = await cluster({
      "GET /api/v1/namespaces/shop/secrets/pull": () => ({ type: "kubernetes.io/dockerconfigjson" }),
      "GET /api/v1/namespaces/shop/secrets/token": () => ({ type: "Opaque" }),
    });
    await look(kubeconfig, "pull");
    expect(await refusal(look(kubeconfig, "pll"))).toBe(
      "pullSecret: there is no Secret pll in the namespace shop; { secret: KEY } has the stack make one",
    );
    expect(await refusal(look(kubeconfig, "token"))).toMatch(/is of type Opaque; images are pulled with one of type/);
  });
});
