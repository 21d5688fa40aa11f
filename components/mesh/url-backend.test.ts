/** What each mesh makes for a backend that is a URL. */
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";
import { crdProblems } from "../../test/crds.ts";
import { type Listed, listMade, none } from "../testing/made.ts";
import type { UrlAddress } from "../workloads/backend.ts";
import { UrlBackend as OfEnvoyGateway } from "./envoy-gateway/url-backend.ts";
import { UrlBackend as OfIstio } from "./istio/url-backend.ts";

const known = {
  "meshup:envoy-gateway:UrlBackend": none,
  "meshup:istio:UrlBackend": none,
  "kubernetes:core/v1:ConfigMap": none,
  "kubernetes:core/v1:Secret": none,
  "kubernetes:gateway.envoyproxy.io/v1alpha1:Backend": none,
  "kubernetes:gateway.envoyproxy.io/v1alpha1:BackendTrafficPolicy": none,
  "kubernetes:networking.istio.io/v1:ServiceEntry": none,
  "kubernetes:networking.istio.io/v1:DestinationRule": none,
};

let listed: Listed;

beforeEach(async () => {
  listed = await listMade(known);
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
  const made = listed.made.filter(({ type }) => !type.startsWith("meshup:"));
  for (const { inputs } of made) if (inputs.spec) expect(crdProblems(inputs)).toEqual([]);
  return made.map(({ type }) => type.split(":").at(-1) as string).sort();
}
const inputsOf = (kind: string) => listed.ofKind(kind)[0]?.inputs;

test("Envoy Gateway: a Backend; one with authorities of its own has them from a ConfigMap beside it", async () => {
  expect(await makes(() => new OfEnvoyGateway("api", { at: plain, routes: ["one"], ready: [] }))).toEqual(["Backend"]);
  listed = await listMade(known);
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
  listed = await listMade(known);
  expect(await makes(() => new OfIstio("api", { at: secure, ready: [] }))).toEqual([
    "DestinationRule",
    "Secret",
    "ServiceEntry",
  ]);
  expect(inputsOf("Secret").metadata.namespace).toBe("istio-ingress");
  expect(inputsOf("DestinationRule").spec.trafficPolicy.tls.credentialName).toBe("url-api-auto");
});
