import { UserError } from "../../../lib/errors.ts";
import { configurationOf } from "../../filter/configuration.ts";
import type { Failure, FilterTarget } from "../../filter/declared.ts";
import type { BackendRoute } from "../../workloads/backend.ts";
import { httpRouteKind } from "../http-route.ts";
import { type NamedManifest, namespace } from "../manifest.ts";
import type { PublishedModule } from "../publish.ts";
import { targets } from "../targets.ts";
import { gatewayName, policyKind } from "./names.ts";

/** A filter, as a policy has it. */
export interface PolicyFilter {
  name: string;
  rootId: string;
  /** The plugin configuration as the module reads it. */
  configuration?: string;
  failure: Failure;
  code: PublishedModule | PublishedScript;
}

/** A script goes into the policy itself. */
export interface PublishedScript {
  type: "lua";
  script: string;
}

/** A policy that is to be made: which filters work on which target, in their declared order. */
export interface PolicyPlan<F> {
  name: string;
  target: { kind: "Gateway" | "HTTPRoute"; name: string };
  filters: F[];
  /** A proxy has the filters only where a route uses them: not so when each has a policy of its own. */
  inUse: boolean;
}

/** Envoy Gateway's limit of each of a policy's lists. */
const mostFilters = 16;

/**
 * One policy a target, since a second one for it would be refused as conflicting. A route's policy replaces the
 * Gateway's (`mergeType` replaces the lists in it as a whole), so that it repeats the filters that work everywhere.
 */
export function planPolicies<F extends { name: string; target: FilterTarget }>(
  routes: Pick<BackendRoute, "name" | "backend">[],
  filters: F[],
): PolicyPlan<F>[] {
  const everywhere = filters.filter((f) => "gateway" in f.target);
  const ofRoutes = routes.flatMap((route): PolicyPlan<F>[] => {
    const own = filters.filter((f) => targets(f.target, route));
    if (own.length === everywhere.length) return []; // the Gateway's policy is all there is for it
    const target = { kind: "HTTPRoute", name: route.name } as const;
    return [{ name: `route-${route.name}`, target, filters: own, inUse: true }];
  });
  const ofGateway: PolicyPlan<F> = {
    name: "gateway",
    target: { kind: "Gateway", name: gatewayName },
    filters: everywhere,
    inUse: ofRoutes.length < routes.length,
  };
  const plans = everywhere.length > 0 ? [ofGateway, ...ofRoutes] : ofRoutes;
  const tooLong = plans.filter((plan) => plan.filters.length > mostFilters);
  if (tooLong.length > 0) {
    const lines = tooLong.map(({ target, filters }) => `${target.kind} ${target.name} has ${filters.length}`);
    throw new UserError(`envoy-gateway takes ${mostFilters} filters on a target at most:\n  ${lines.join("\n  ")}`);
  }
  return plans;
}

/** An EnvoyExtensionPolicy: `filters` are the plan's, with their code. */
export function extensionPolicy(args: Pick<PolicyPlan<PolicyFilter>, "name" | "target" | "filters">): NamedManifest {
  const { name, target, filters } = args;
  const wasm = filters.flatMap(({ code, ...filter }) => (code.type === "lua" ? [] : [wasmEntry(filter, code)]));
  const lua = filters.flatMap(({ code }) => (code.type === "lua" ? [{ type: "Inline", inline: code.script }] : []));
  return {
    ...policyKind,
    metadata: { name, namespace },
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", ...target }],
      ...(wasm.length > 0 && { wasm }),
      ...(lua.length > 0 && { lua }),
    },
  };
}

/**
 * A route that nobody asks for, and a policy that lets the proxies load a module there before any other policy names it.
 *
 * Envoy knows a VM by its id (Envoy Gateway: the policy's name and the place in it) and its code, but takes the code for
 * empty while it downloads it: a changed module in the same place would be answered with the VM of the one before. What
 * it has downloaded already it tells apart. The digest in the policy's name makes this download's id a new one.
 * And a module that cannot be pulled, or does not work, is found out here, where no request depends on it.
 *
 * @param module tells apart modules that are the same to the byte: letters, digits and dashes
 * @param digest the module's sha256, hex
 */
export function preload(
  filter: PolicyFilter,
  { module, digest }: { module: string; digest: string },
): { name: string; host: string; route: NamedManifest; policy: NamedManifest } {
  // A label of a host name has 63 characters at most.
  const name = `module-${filter.code.type}-${digest.slice(0, 16)}-${module.slice(-32).replace(/^-+/, "")}`;
  const host = `${name}.meshup.invalid`;
  // Answered by the proxy itself, through the filter.
  const redirect = { type: "RequestRedirect", requestRedirect: { statusCode: 302, hostname: "meshup.invalid" } };
  const route: NamedManifest = {
    ...httpRouteKind,
    metadata: { name, namespace },
    spec: {
      parentRefs: [{ name: gatewayName }],
      hostnames: [host],
      rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }], filters: [redirect] }],
    },
  };
  const target = { kind: "HTTPRoute", name } as const;
  return { name, host, route, policy: extensionPolicy({ name, target, filters: [{ ...filter, name }] }) };
}

function wasmEntry({ name, rootId, configuration, failure }: Omit<PolicyFilter, "code">, code: PublishedModule) {
  const config = configurationOf(configuration);
  return {
    name,
    rootID: rootId,
    failOpen: failure === "open",
    ...(config && { config: config.json }),
    code: codeEntry(code),
  };
}

function codeEntry(code: PublishedModule) {
  if (code.type === "http") return { type: "HTTP", http: { url: code.url, sha256: code.sha256 } };
  const { reference, digest, pullSecret } = code;
  return {
    type: "Image",
    image: {
      url: reference,
      sha256: digest.replace(/^sha256:/, ""), // of the manifest; the proxy is given the module's own
      ...(pullSecret !== undefined && { pullSecretRef: { group: "", kind: "Secret", name: pullSecret } }),
    },
  };
}
