import { UserError } from "../../../lib/errors.ts";
import type { Configuration } from "../../filter/configuration.ts";
import type { Failure } from "../../filter/declared.ts";
import type { Manifest } from "../manifest.ts";
import type { PublishedModule } from "../publish.ts";
import { wasmPluginKind } from "./names.ts";
import type { Placement } from "./placement.ts";
import type { FilterSettings } from "./schema.ts";

export interface WasmPluginArgs {
  name: string;
  placement: Placement;
  code: PublishedModule;
  /** The root id that the module registers. */
  rootId: string;
  configuration?: Configuration;
  failure: Failure;
  istio?: FilterSettings;
}

const failStrategies = { open: "FAIL_OPEN", close: "FAIL_CLOSE", reload: "FAIL_RELOAD" } as const;

/** https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/ */
export function wasmPlugin(args: WasmPluginArgs): Manifest {
  const { name, placement, code, rootId, configuration, failure, istio = {} } = args;
  const { match = placement.proxies === "sidecars" ? [{ mode: "SERVER" as const }] : undefined } = istio;
  return {
    ...wasmPluginKind,
    metadata: { name, namespace: placement.namespace },
    spec: {
      ...(placement.targetRefs
        ? { targetRefs: placement.targetRefs }
        : { selector: { matchLabels: placement.selector } }),
      ...codeFields(code),
      ...(rootId !== "" && { pluginName: rootId }),
      ...(configuration !== undefined && { pluginConfig: pluginConfig(name, configuration) }),
      failStrategy: failStrategies[failure],
      ...(istio.phase !== undefined && { phase: istio.phase }),
      ...(istio.priority !== undefined && { priority: istio.priority }),
      ...(match && { match: match.map(trafficSelector) }),
      // Envoy tells VMs apart by their code and environment: two filters of one module are not to share one.
      vmConfig: { env: [{ name: "MESHUP_FILTER", value: name }] },
    },
  };
}

/** As Istio's own filters and config dumps name the Envoy filter that it makes of a WasmPlugin. */
export function envoyFilterName({ name, namespace }: { name: string; namespace: string }): string {
  return `extensions.istio.io/trafficextension/${namespace}.${name}~istio-translated-wasmplugin`;
}

/** By digest, a module is never pulled twice, and never a stale one. */
function codeFields(code: WasmPluginArgs["code"]) {
  if (code.type === "http") return { url: code.url, sha256: code.sha256 };
  const { reference, pullSecret } = code;
  return {
    url: `oci://${reference}`,
    imagePullPolicy: "IfNotPresent",
    ...(pullSecret !== undefined && { imagePullSecret: pullSecret }),
  };
}

function trafficSelector({ mode, ports }: { mode: string; ports?: number[] }) {
  return { mode, ...(ports && { ports: ports.map((number) => ({ number })) }) };
}

/** A WasmPlugin's configuration is a JSON object. */
function pluginConfig(filter: string, configuration: Configuration): unknown {
  if (configuration.object) return configuration.object;
  throw new UserError(
    `filter "${filter}": a WasmPlugin's configuration is a JSON object, and this one is none; delivery configmap or volume takes any text`,
  );
}
