import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { FilterOutput } from "../../components/mesh/filter-output.ts";
import { Answer, type Answers, fakeCluster } from "../../kube/testing/kubernetes.ts";
import type { Step } from "../../lib/steps.ts";
import { scratch, script } from "../../provider/testing/scratch.ts";
import { examine as examineStack } from "./doctor.ts";

const digest = "a".repeat(64);
const ready = [{ type: "Ready", status: "True" }];
const system = "envoy-gateway-system";
const pod = (name: string) => ({
  metadata: { name, namespace: system, uid: `uid-of-${name}` },
  status: { conditions: ready },
});
const paths = {
  version: "GET /version",
  nodes: "GET /api/v1/nodes",
  controller: `GET /apis/apps/v1/namespaces/${system}/deployments/envoy-gateway`,
  pods: `GET /api/v1/namespaces/${system}/pods`,
  controllerLog: `GET /api/v1/namespaces/${system}/pods/envoy-gateway-1/log`,
  proxyLog: `GET /api/v1/namespaces/${system}/pods/envoy-1/log`,
  gateway: "GET /apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/gateway",
  policies: "GET /apis/gateway.envoyproxy.io/v1alpha1/namespaces/default/envoyextensionpolicies",
};

function listeners(sha256 = digest, rejected?: string) {
  const name = "envoy.filters.http.wasm/envoyextensionpolicy/default/route-one/wasm/0";
  const typed_config = { config: { name: "custom", vm_config: { code: { remote: { sha256 } } } } };
  const filters = [{ typed_config: { http_filters: [{ name, typed_config }] } }];
  const error_state = rejected === undefined ? undefined : { details: rejected };
  return { configs: [{ active_state: { listener: { filter_chains: [{ filters }] } }, error_state }] };
}

function policy(status: "True" | "False", message = "") {
  const conditions = [{ type: "Accepted", status, reason: "Invalid", message, observedGeneration: 1 }];
  const ancestors = [{ ancestorRef: { name: "gateway" }, controllerName: "c", conditions }];
  return { metadata: { name: "route-one", namespace: "default", generation: 1 }, status: { ancestors } };
}

/** A cluster in which all is well. */
function healthy(): Answers {
  return {
    [paths.version]: () => ({ gitVersion: "v1.34.2" }),
    [paths.nodes]: () => ({ items: [{ metadata: { name: "node" }, status: { conditions: ready } }] }),
    [paths.controller]: () => ({ metadata: { name: "envoy-gateway" }, status: { readyReplicas: 1 } }),
    [paths.pods]: (query) => ({
      items: [query.get("labelSelector")?.includes("control-plane") ? pod("envoy-gateway-1") : pod("envoy-1")],
    }),
    [paths.controllerLog]: () => "t\tinfo\twasm-cache\tserver.go:1\tListening on :18002\n",
    [paths.proxyLog]: () => "",
    [paths.gateway]: () => ({
      metadata: { name: "gateway" },
      status: { conditions: [{ type: "Programmed", status: "True" }], addresses: [{ value: "10.0.0.1" }] },
    }),
    [paths.policies]: () => ({ items: [policy("True")] }),
  };
}

const dumpPath = "envoy-1:19000 /config_dump?resource=dynamic_listeners";

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

interface World {
  answers?: Answers;
  dump?: () => unknown;
  /** The header that responses have. */
  header?: string;
  /** What `docker container inspect` and `docker version` run. */
  docker?: string[];
  /** The registry's answer to a HEAD of the image. */
  image?: number;
  /** What of the stack's objects is not as it was made. */
  drift?: string[];
}

let step: (name: string) => Step;
let steps: Step[];

async function examine({
  answers,
  dump = () => listeners(),
  header = "yes",
  docker,
  image = 200,
  drift = [],
}: World = {}) {
  const { kubeconfig } = await fakeCluster({ ...healthy(), ...answers }, { [dumpPath]: dump });
  const gateway = await serve((_, response) => response.setHeader("x-custom", header).end());
  const registry = await serve((request, response) => {
    response.writeHead(request.method === "HEAD" ? image : 200).end();
  });
  const bin = scratch();
  script(join(bin, "docker"), ...(docker ?? [`case "$1" in version) echo 29.0;; *) echo running;; esac`]));
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const filter: FilterOutput = {
    name: "custom",
    digest,
    url: `${gateway}/one`,
    expect: { "x-custom": "yes" },
    delivery: "image",
    image: `registry.localhost:5000/meshup/filter@sha256:${"9".repeat(64)}`,
  };
  const outputs = { kubeconfig, mesh: "envoy-gateway", filters: [filter], proxies: {} };
  steps = await examineStack({
    name: "dev",
    directory: scratch(),
    config: { cluster: "kind", kind: { name: "c", registryPort: Number(new URL(registry).port) } },
    outputs,
    known: outputs,
    drift: async () => drift,
  });
}

const broken = () => steps.filter(({ ok }) => ok === false).map(({ name }) => name);

beforeEach(() => {
  step = (name) => {
    const found = steps.find((one) => one.name === name);
    if (!found) throw new Error(`there is no step ${name}; there are ${steps.map((one) => one.name).join(", ")}`);
    return found;
  };
});

test("from Docker to the header, every step is looked at and has what was seen", async () => {
  await examine();
  expect(steps.map(({ name, ok, detail }) => `${ok} ${name}: ${detail.replace(/http:\S+/g, "URL")}`)).toEqual([
    "true docker: engine 29.0",
    "true cluster: container c-control-plane runs",
    "true kubernetes API: v1.34.2 at URL",
    "true nodes: 1 ready",
    "true objects: all that the stack has made is there as it was made",
    "true registry: answers at URL",
    `true image of custom: meshup/filter@sha256:${"9".repeat(64)}`,
    "true Envoy Gateway: 1 ready",
    "true its Wasm cache: serves modules to proxies",
    "true Gateway: programmed, at 10.0.0.1",
    "true policies: 1 accepted",
    "true proxy: 1 ready, with 1 filters in force",
    `true module of custom: sha256:${digest}`,
    "true request for custom: GET URL → 200  x-custom: yes",
  ]);
});

test("without Docker what hangs on it is not looked at, and says so", async () => {
  await examine({ docker: ['echo "Cannot connect to the Docker daemon" >&2', "exit 1"] });
  expect(broken()).toEqual(["docker"]);
  expect(step("docker")).toMatchObject({ detail: "Cannot connect to the Docker daemon", mend: /start Docker/ });
  expect(step("policies")).toEqual({
    name: "policies",
    detail: expect.stringMatching(/^not looked at: .* is broken$/),
  });
});

test("a node's container that is stopped", async () => {
  await examine({ docker: [`case "$*" in version*) echo 29.0;; *registry) echo running;; *) echo exited;; esac`] });
  expect(broken()).toEqual(["cluster"]);
  expect(step("cluster").mend).toBe("docker start c-control-plane");
});

test.each<[string, World, string[], string, RegExp, RegExp]>([
  [
    "a node that is not ready",
    { answers: { [paths.nodes]: () => ({ items: [{ metadata: { name: "n" }, status: { conditions: [] } }] }) } },
    ["nodes"],
    "nodes",
    /not ready: n/,
    /^docker exec c-control-plane kubectl .*describe node n/,
  ],
  [
    "an object that is gone",
    { drift: ["Service default/echo is gone"] },
    ["objects"],
    "objects",
    /Service default\/echo is gone/,
    /npm start -- dev` puts all of it back/,
  ],
  ["an image that the registry has not", { image: 404 }, ["image of custom"], "image of custom", /404/, /anew/],
  [
    "no Envoy Gateway",
    { answers: { [paths.controller]: () => undefined } },
    ["Envoy Gateway"],
    "Envoy Gateway",
    /there is no deployment/,
    /npm start/,
  ],
  [
    "an Envoy Gateway that does not get ready",
    {
      answers: {
        [paths.controller]: () => ({
          metadata: {},
          status: { conditions: [{ type: "Available", status: "False", message: "ImagePullBackOff" }] },
        }),
      },
    },
    ["Envoy Gateway"],
    "Envoy Gateway",
    /ImagePullBackOff/,
    /describe pods/,
  ],
  [
    "a Wasm cache that was never set",
    { answers: { [paths.controllerLog]: () => "wasm cache is not initialized\n" } },
    ["its Wasm cache"],
    "its Wasm cache",
    /without its certificates/,
    /rollout restart/,
  ],
  [
    "a Gateway that is not programmed",
    {
      answers: {
        [paths.gateway]: () => ({
          metadata: {},
          status: { conditions: [{ type: "Programmed", status: "False", reason: "AddressNotAssigned", message: "m" }] },
        }),
      },
    },
    ["Gateway"],
    "Gateway",
    /Programmed: AddressNotAssigned: m/,
    /describe envoyproxy/,
  ],
  [
    "a policy whose image cannot be pulled",
    {
      answers: {
        [paths.policies]: () => ({ items: [policy("False", "Wasm: could not fetch: MANIFEST_UNKNOWN: manifest.")] }),
      },
    },
    ["policies"],
    "policies",
    /route-one: Invalid: .*MANIFEST_UNKNOWN/,
    /does not have this image/,
  ],
  [
    "a policy that nobody has looked at",
    { answers: { [paths.policies]: () => ({ items: [{ metadata: { name: "new" } }] }) } },
    ["policies"],
    "policies",
    /new: no Gateway has taken it up/,
    /npm start/,
  ],
  [
    "a proxy that refuses its configuration",
    {
      dump: () => listeners(digest, "Unable to create Wasm plugin custom"),
      answers: { [paths.proxyLog]: () => "[t][1][error][wasm] [source/a.cc:1] Function: _start failed\n" },
    },
    ["proxy"],
    "proxy",
    /refuses its newest configuration: Unable to create[\s\S]*_start failed/,
    /mend or remove/,
  ],
  [
    "a proxy with another module",
    { dump: () => listeners("b".repeat(64)) },
    ["module of custom"],
    "module of custom",
    /sha256:b+, not sha256:a+/,
    /npm start/,
  ],
  [
    "a response without the header",
    {
      header: "no",
      answers: { [paths.proxyLog]: () => "[t][1][error][wasm] [source/a.cc:1] Uncaught RuntimeError: unreachable\n" },
    },
    ["request for custom"],
    "request for custom",
    /x-custom is: no; expected: yes[\s\S]*unreachable/,
    /proxy's and its control plane's own/,
  ],
])("%s", async (_name, world, brokenSteps, name, detail, mend) => {
  await examine(world);
  expect(broken()).toEqual(brokenSteps);
  expect(step(name).detail).toMatch(detail);
  expect(step(name).mend).toMatch(mend);
});

test("a cluster that does not answer: all in it is not looked at", async () => {
  await examine({ answers: { [paths.version]: () => new Answer(503, "the server is shutting down") } });
  expect(broken()).toEqual(["kubernetes API"]);
  expect(step("kubernetes API").detail).toMatch(/503 the server is shutting down/);
  expect(step("request for custom").ok).toBeUndefined();
});
