import type { Resource } from "../../envoy/discovery.ts";
import type { Failure } from "../filter/declared.ts";

/** A type of Envoy's v3 API. */
export const type = (name: string) => `type.googleapis.com/envoy.${name}`;
export const wasmType = type("extensions.filters.http.wasm.v3.Wasm");

export interface WasmFilterArgs {
  name: string;
  rootId: string;
  /** The module's sha256, hex. */
  digest: string;
  /** The module's absolute path. */
  file: string;
  /** The plugin configuration, as the module reads it. */
  configuration?: string;
  failure: Failure;
}

/** `failure_policy: FAIL_OPEN` lets only requests after a trap pass. The older field lets the trapped one pass, too. */
const failurePolicy = {
  open: { fail_open: true },
  close: { failure_policy: "FAIL_CLOSED" },
  reload: { failure_policy: "FAIL_RELOAD" },
} as const;

/** A filter as Envoy is given it. Its VM is named by its content: a changed module is a new VM, and two filters never share one. */
export function wasmFilter(args: WasmFilterArgs): Resource {
  return {
    "@type": type("config.core.v3.TypedExtensionConfig"),
    name: args.name,
    typed_config: {
      "@type": wasmType,
      config: {
        name: args.name,
        root_id: args.rootId,
        ...failurePolicy[args.failure],
        vm_config: {
          vm_id: `${args.name}@sha256:${args.digest}`,
          runtime: "envoy.wasm.runtime.v8",
          code: { local: { filename: args.file } },
        },
        ...(args.configuration !== undefined && {
          configuration: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: args.configuration },
        }),
      },
    },
  };
}
