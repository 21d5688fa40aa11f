/** What the benchmark compares: ways to put one and the same header on each response. */
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import type { Json } from "../../envoy/discovery.ts";
import { Plugin } from "../../host/plugin/plugin.ts";
import { UserError } from "../../lib/errors.ts";
import { buildModule } from "../../toolchain/build.ts";
import { resolveModule } from "../../toolchain/source.ts";

export const header = { name: "x-bench", value: "yes" } as const;

/** As JSON, the way our filter and the one in Rust have it configured. */
const configuration = JSON.stringify({ [header.name]: header.value });

/** An HTTP filter of a listener. */
export interface HttpFilter {
  name: string;
  typed_config: Json;
}

/** A way to put the header on responses, ready to be handed to Envoy. */
export interface Arm {
  name: string;
  /** What it is, in a line. */
  what: string;
  module?: BuiltArm;
  /** All filters of all its chains are one VM and one root context: what is open in one chain is open in all. */
  oneVm: boolean;
  /** @param place in a chain, from 1 */
  filter(place: number): HttpFilter;
}

export interface BuiltArm {
  /** The module's size. */
  bytes: number;
  /** Bytes of linear memory after the start. */
  memoryBytes: number;
}

type ArmSpec = Pick<Arm, "name" | "what"> & ({ typedConfig: Json } | ModuleSpec);

interface ModuleSpec {
  /** A folder of AssemblyScript, or a .wasm. */
  module: string;
  rootId?: string;
  configuration?: string;
  /** Each place of a chain has a VM of its own, as a stack's filters have; otherwise it is the same filter again. */
  apart?: true;
}

const ours = { module: "filter", rootId: "add_header_root", configuration };

/** From what should cost least to what should cost most. */
export const armSpecs: ArmSpec[] = [
  {
    name: "header_mutation",
    what: "Envoy's own filter, in C++",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
      mutations: {
        response_mutations: [
          {
            append: {
              header: { key: header.name, value: header.value },
              append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
            },
          },
        ],
      },
    },
  },
  { name: "bare", what: "the floor: one callback, one host call", module: "bench/filter/arms/bare" },
  { name: "ours", what: "this project's, add_header_root", ...ours },
  { name: "ours-again", what: "the very same once more: the A/A pair", ...ours },
  { name: "ours-apart", what: "the same, each filter in a VM of its own", ...ours, apart: true },
  {
    name: "rust",
    what: "the Rust SDK, proxy-wasm 0.2.5",
    module: "bench/filter/arms/rust/header-in-rust.wasm",
    configuration,
  },
  {
    name: "lua",
    what: "Envoy's Lua filter",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
      default_source_code: {
        inline_string: `function envoy_on_response(handle)\n  handle:headers():replace("${header.name}", "${header.value}")\nend\n`,
      },
    },
  },
  {
    name: "sdk",
    what: "@solo-io/proxy-runtime 0.1.8 by its README",
    module: "bench/filter/arms/sdk",
    rootId: "add_header",
    configuration: header.value,
  },
];

/**
 * Builds the modules of the arms of these names (default: all), and starts each in the project's own host.
 * @throws UserError that names every name that is none
 */
export async function loadArms(names: string[] = armSpecs.map(({ name }) => name)): Promise<Arm[]> {
  const unknown = names.filter((name) => !armSpecs.some((spec) => spec.name === name));
  if (unknown.length > 0)
    throw new UserError(
      `There is no arm ${unknown.map((name) => `"${name}"`).join(", ")}; there is ${armSpecs.map(({ name }) => name).join(", ")}.`,
    );
  return Promise.all(armSpecs.filter(({ name }) => names.includes(name)).map(loadArm));
}

async function loadArm(spec: ArmSpec): Promise<Arm> {
  const { name, what } = spec;
  if ("typedConfig" in spec) {
    const filter = (place: number) => ({ name: `${name}-${place}`, typed_config: spec.typedConfig });
    return { name, what, oneVm: false, filter };
  }
  const { rootId = "", configuration, apart } = spec;
  const { path, sha256: digest, bytes } = await buildModule(await resolveModule(spec.module));
  const { memoryBytes } = Plugin.load({ wasm: path, rootId, configuration });
  const filter = (place: number) => {
    const args = { rootId, digest, file: path, configuration, failure: "close" as const };
    const { typed_config } = wasmFilter({ ...args, name: apart ? `${name}-${place}` : name }); // names its VM as well
    return { name: `${name}-${place}`, typed_config: typed_config as Json };
  };
  return { name, what, module: { bytes, memoryBytes }, oneVm: !apart, filter };
}
