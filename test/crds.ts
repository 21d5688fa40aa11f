import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "../lib/paths.ts";

/** A part of an OpenAPI v3 schema, as a CustomResourceDefinition has it. */
interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  [key: string]: unknown;
}

interface Definition {
  spec: { names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
}

/** By group and kind. */
const files: Record<string, string> = {
  "gateway.envoyproxy.io/EnvoyExtensionPolicy": "envoyextensionpolicies.gateway.envoyproxy.io",
  "gateway.envoyproxy.io/EnvoyProxy": "envoyproxies.gateway.envoyproxy.io",
  "gateway.envoyproxy.io/Backend": "backends.gateway.envoyproxy.io",
  "gateway.envoyproxy.io/BackendTrafficPolicy": "backendtrafficpolicies.gateway.envoyproxy.io",
  "gateway.networking.k8s.io/ReferenceGrant": "referencegrants.gateway.networking.k8s.io",
  "gateway.networking.k8s.io/GatewayClass": "gatewayclasses.gateway.networking.k8s.io",
  "gateway.networking.k8s.io/Gateway": "gateways.gateway.networking.k8s.io",
  "gateway.networking.k8s.io/HTTPRoute": "httproutes.gateway.networking.k8s.io",
  "extensions.istio.io/WasmPlugin": "wasmplugins.extensions.istio.io",
  "networking.istio.io/EnvoyFilter": "envoyfilters.networking.istio.io",
  "networking.istio.io/DestinationRule": "destinationrules.networking.istio.io",
  "networking.istio.io/ServiceEntry": "serviceentries.networking.istio.io",
  "networking.istio.io/Gateway": "gateways.networking.istio.io",
  "networking.istio.io/VirtualService": "virtualservices.networking.istio.io",
};

const validators = new Map<string, z.ZodType>();

/** What the CRD's schema has against a manifest, unknown fields with it. CEL rules are the API server's alone. */
export function crdProblems(manifest: { apiVersion: string; kind: string }): string[] {
  const result = validator(manifest).safeParse(JSON.parse(JSON.stringify(manifest)));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

function validator({ apiVersion, kind }: { apiVersion: string; kind: string }): z.ZodType {
  const id = `${apiVersion.split("/")[0]}/${kind}`;
  const known = validators.get(id);
  if (known) return known;
  const file = files[id];
  if (!file) throw new Error(`there is no schema of ${id} in test/fixtures/crds`);
  const text = gunzipSync(readFileSync(join(root, "test", "fixtures", "crds", `${file}.yaml.gz`))).toString("utf8");
  const { spec } = parse(text) as Definition;
  const version = spec.versions.find(({ name }) => name === apiVersion.split("/")[1]);
  if (!version) throw new Error(`${kind} has no version ${apiVersion}`);
  const { properties = {} } = version.schema.openAPIV3Schema;
  const string = { type: "string" };
  const metadata = {
    type: "object",
    properties: { name: string, namespace: string },
  };
  const schema = strict({
    ...version.schema.openAPIV3Schema,
    properties: { apiVersion: string, kind: string, ...properties, metadata },
  });
  const made = z.fromJSONSchema(schema as never, { defaultTarget: "openapi-3.0" });
  validators.set(id, made);
  return made;
}

/** The API server drops fields that it does not know, in silence; here they are mistakes. */
function strict(schema: Schema): Schema {
  const { "x-kubernetes-preserve-unknown-fields": open, "x-kubernetes-int-or-string": either, ...rest } = schema;
  if (open) return {};
  if (either) return { anyOf: [{ type: "integer" }, { type: "string" }] } as Schema;
  const { properties, items, additionalProperties } = rest;
  // Zod has no `not`, by which Istio's say that of two fields only one may be there.
  const left = ([key, value]: [string, unknown]) =>
    key.startsWith("x-") || key === "default" || (/Of$/.test(key) && JSON.stringify(value).includes('"not"'));
  const plain = Object.fromEntries(Object.entries(rest).filter((entry) => !left(entry)));
  return {
    ...plain,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, strict(child)])),
      additionalProperties: false,
    }),
    ...(items && { items: strict(items) }),
    ...(typeof additionalProperties === "object" && { additionalProperties: strict(additionalProperties) }),
  };
}
