/** How a mesh is looked into while it runs. Nothing here is of Pulumi: commands look, and so does the provider. */
import type { KubeApi } from "../../kube/api.ts";
import type { Pod } from "../../kube/pods.ts";
import type { Check } from "../../lib/steps.ts";
import type { FilterOutput } from "./filter-output.ts";

export interface Inspector {
  /** Whether the mesh's proxies run the very code of each filter. @throws UserError when there is none to ask */
  running(mesh: RunningMesh): Promise<RunningFilter[]>;
  /** Looks at its own steps, from its control plane to each filter's header. */
  diagnose(mesh: RunningMesh, check: Check): Promise<void>;
  /** What its proxies themselves hold of the filters. @throws UserError when there is none to ask */
  dump(mesh: RunningMesh): Promise<DumpedFilter[]>;
}

/** The same of a mesh in a cluster. */
export interface MeshInCluster extends Inspector {
  /** Gateway and control plane. */
  parts(api: KubeApi): Part[];
  /** What its proxies said of Wasm, Lua and refused configuration before `time` (RFC 3339) and since, each line once. */
  complaints(api: KubeApi, time: string): Promise<{ before: string[]; since: string[] }>;
}

/** A mesh as the outputs of its stack tell of it. */
export interface RunningMesh {
  /** Where it runs; none on this machine. */
  api?: KubeApi;
  filters: FilterOutput[];
  /** The output `proxies`, which is the mesh's own affair. */
  proxies: unknown;
}

export interface RunningFilter {
  filter: string;
  /** Of the code that was built: sha256, hex. */
  digest: string;
  /** Whether every proxy runs it. */
  running: boolean;
}

/** A filter, as a proxy has it. */
export interface DumpedFilter {
  name: string;
  /** The workload whose proxy it is, and its pod; none for this machine's Envoy. */
  proxy?: { workload: string; pod: string };
  /** The workloads of the routes that it works on; none where each has a proxy of its own. */
  workloads?: string[];
  /** When Envoy took it, where that is known; or the name that Envoy's chain has for it. */
  note: string;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

/** What runs in a cluster under one name, in one or several pods. */
export interface Part {
  name: string;
  /** The container of its pods that it is about. */
  container: string;
  pods(): Promise<Pod[]>;
}
