/** What each mesh makes for a backend that is a URL. */
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";
import { crdProblems } from "../../test/crds.ts";
import type { UrlAddress } from "../workloads/backend.ts";
import { UrlBackend as OfEnvoyGateway } from "./envoy-gateway/url-backend.ts";
import { UrlBackend as OfIstio } from "./istio/url-backend.ts";

interface Made {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: parts of it are asserted on
  inputs: any;
}

let made: Made[] = [];

/** A type that is not here is an error. */
const known = [
  "meshup:envoy-gateway:UrlBackend",
  "meshup:istio:UrlBackend",
  "kubernetes:core/v1:ConfigMap",
  "kubernetes:core/v1:Secret",
  "kubernetes:gateway.envoyproxy.io/v1alpha1:Backend",
  "kubernetes:gateway.envoyproxy.io/v1alpha1:BackendTrafficPolicy",
  "kubernetes:networking.istio.io/v1:ServiceEntry",
  "kubernetes:networking.istio.io/v1:DestinationRule",
];

beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      if (!known.includes(type)) throw new Error(`the mock knows no resource type ${type}`);
      if (!type.startsWith("meshup:")) made.push({ type, inputs });
      const metadata = inputs.metadata && { name: `${name}-auto`, ...inputs.metadata };
      return { id: name, state: { ...inputs, ...(metadata && { metadata }) } };
    },
    call: ({ token }) => {
      throw new Error(`the mock knows no function ${token}`);
    },
  });
});

const plain: UrlAddress = { type: "url", host: "10.0.0.1", port: 3000, path: "", http: 1 };
const secure: UrlAddress = {
  ...plain,
  host: "api.example.com",
  tls: { serverName: "api.example.com", authorities: "PEM" },
  http: "both",
};

async function makes(create: () => pulumi.ComponentResource): Promise<string[]> {
  create();
  await pulumi.runtime.disconnect();
  for (const { inputs } of made) if (inputs.spec) expect(crdProblems(inputs)).toEqual([]);
  return made.map(({ type }) => type.split(":").at(-1) as string).sort();
}
const inputsOf = (kind: string) => made.find(({ type }) => type.endsWith(`:${kind}`))?.inputs;

test("Envoy Gateway: a Backend; one with authorities of its own has them from a ConfigMap beside it", async () => {
  expect(await makes(() => new OfEnvoyGateway("api", { at: plain, routes: ["one"], ready: [] }))).toEqual(["Backend"]);
  made = [];
  const kinds = await makes(() => new OfEnvoyGateway("api", { at: secure, routes: ["one", "two"], ready: [] }));
  expect(kinds).toEqual(["Backend", "BackendTrafficPolicy", "ConfigMap"]);
  expect(inputsOf("ConfigMap")).toMatchObject({ metadata: { namespace: "default" }, data: { "ca.crt": "PEM" } });
  const ref = { group: "", kind: "ConfigMap", name: "api-auto" };
  expect(inputsOf("Backend").spec.tls).toEqual({ sni: "api.example.com", caCertificateRefs: [ref] });
  expect(inputsOf("BackendTrafficPolicy").spec.targetRefs.map(({ name }: { name: string }) => name)).toEqual([
    "one",
    "two",
  ]);
});

test("Envoy Gateway: no policy for a URL that only filters call, as it would have no target", async () => {
  expect(await makes(() => new OfEnvoyGateway("api", { at: secure, routes: [], ready: [] }))).not.toContain(
    "BackendTrafficPolicy",
  );
});

test("Istio: a ServiceEntry, and a DestinationRule where there is more to say; authorities in a Secret of the gateway's", async () => {
  expect(await makes(() => new OfIstio("api", { at: plain, ready: [] }))).toEqual(["ServiceEntry"]);
  made = [];
  expect(await makes(() => new OfIstio("api", { at: secure, ready: [] }))).toEqual([
    "DestinationRule",
    "Secret",
    "ServiceEntry",
  ]);
  expect(inputsOf("Secret").metadata.namespace).toBe("istio-ingress");
  expect(inputsOf("DestinationRule").spec.trafficPolicy.tls.credentialName).toBe("url-api-auto");
});
