import { z } from "zod";
import { configurationOf } from "../../filter/configuration.ts";
import type { FilterDeclaration } from "../../filter/declared.ts";
import type { Capabilities, TargetKind } from "../capabilities.ts";
import { type Declared, lostDigits, type Problem, type Schema } from "../kind.ts";
import type { MeshSettings } from "../mesh.ts";

const onGateway: TargetKind[] = ["route", "workload", "gateway"];
const everywhere: TargetKind[] = [...onGateway, "selector"];

export const capabilities: Capabilities = {
  cluster: true,
  deliveries: {
    image: everywhere,
    http: everywhere,
    configmap: onGateway, // a volume is the pod's, and other people's pods are not ours to change
    volume: ["workload"], // Istio reads its annotations on sidecars only
    lua: everywhere,
  },
  afterRewrite: ["workload", "selector"], // those are in sidecars, behind the gateway
  failures: ["open", "close", "reload"],
  logs: ["gateway", "istiod"],
  clusters: ["/^(in|out)bound(_\\.\\d+_\\._)?\\|/", "PassthroughCluster"],
};

const stackKeys = z.object({
  /** `gateway`: Istio's chart, or a Gateway of the Gateway API, whose pods istiod makes. */
  istio: z.strictObject({ gateway: z.enum(["helm", "gateway-api"]).default("helm") }).prefault({}),
});
export type IstioSettings = MeshSettings & z.infer<typeof stackKeys>;
export type GatewayKind = IstioSettings["istio"]["gateway"];

/** Where in Istio's proxies a filter stands, as a WasmPlugin says it. */
const filterSettings = z.strictObject({
  /** Before which of Istio's own filters. Default: after all of them. */
  phase: z.enum(["AUTHN", "AUTHZ", "STATS"]).optional(),
  /** Of filters of the same phase the higher goes first. */
  priority: z.number().int().min(-2147483648).max(2147483647).optional(),
  /** Which traffic it works on; any of them. Default: what a sidecar's workload is asked; in a gateway, all. */
  match: z
    .array(
      z.strictObject({
        /** The workload as `CLIENT` (a gateway is one), as `SERVER`, or both. */
        mode: z.enum(["CLIENT", "SERVER", "CLIENT_AND_SERVER"]).default("CLIENT_AND_SERVER"),
        /** Ports of the listener. Default: all. */
        ports: z.array(z.number().int().min(1).max(65535)).optional(),
      }),
    )
    .min(1)
    .optional(),
});
const filterKeys = z.object({ istio: filterSettings.optional() });
export type FilterSettings = z.infer<typeof filterSettings>;

export const schema: Schema = { stack: stackKeys.shape, filter: filterKeys.shape, problems };

/** What only Istio reads of a stack's configuration, beside the rest of it. */
export function withSettings(config: MeshSettings): IstioSettings {
  return { ...config, ...stackKeys.parse(config) };
}

/** What only Istio reads of a filter's declaration. */
export function settingsOf(declaration: FilterDeclaration): FilterSettings | undefined {
  return filterKeys.parse(declaration).istio;
}

const byWasmPlugin = (delivery: Declared["delivery"]) => ["image", "http"].includes(delivery);

function problems({ declaration, delivery }: Declared, config: object): Problem[] {
  const { istio } = stackKeys.parse(config);
  const found: Problem[] = [];
  const problem = (key: string, message: string) => found.push({ key, message });
  const inGateway = "gateway" in declaration.target || "route" in declaration.target;
  if (istio.gateway === "gateway-api" && delivery === "configmap" && inGateway)
    problem("delivery", "configmap reaches a gateway of Istio's chart only, not one of the Gateway API: image, http");
  if (["configmap", "volume"].includes(delivery) && isOfOthers(declaration, config))
    problem("delivery", `${delivery} changes pods, and these are not the stack's: image, http`);
  const configuration = configurationOf(declaration.config);
  if (byWasmPlugin(delivery) && configuration && !configuration.object)
    problem("config", "a WasmPlugin's is an object; delivery configmap or volume takes any text");
  if (byWasmPlugin(delivery)) found.push(...lostDigits(declaration.config));
  if (settingsOf(declaration) && !byWasmPlugin(delivery))
    problem("istio", `goes with delivery image or http (a WasmPlugin), not with ${delivery}`);
  return found;
}

/** A workload that is there already: a Service, or a URL. */
function isOfOthers({ target }: FilterDeclaration, config: object): boolean {
  const { workloads = {} } = config as { workloads?: Record<string, { kind: string }> };
  return "workload" in target && ["service", "url"].includes(workloads[target.workload]?.kind ?? "");
}
