/** `meshup:index:Proof`: a request through the mesh whose response shows that a filter runs. */
import { messageOf, UserError } from "../lib/errors.ts";
import { type Provable, prove } from "../proof/prove.ts";
import type { Context, ResourceType } from "./resource.ts";

export interface ProofInputs extends Provable {
  /** Why there is no proof. If set, the resource fails at once with this text. */
  problem?: string;
  /** False: no request is sent. */
  send?: boolean;
  /** The module's sha256. A new module needs a new proof. */
  digest: string;
  /** The process behind the address (pid and start time). A restarted process needs a new proof. */
  process?: string;
  /** The cluster whose proxies answer. If the proof fails, their log lines tell why. `mesh`: as configured. */
  cluster?: { kubeconfig: string; mesh: string };
  /** Milliseconds until the expectation must hold; default 15 000. */
  timeoutMs?: number;
}

export interface ProofOutputs {
  /** Status of the response that met the expectation; 0 if no request was sent. */
  status: number;
  /** The expected headers, as that response had them. */
  seen: Record<string, string>;
}

/** Logs are cut to the second, by the cluster's clock. */
const clockToleranceMs = 2_000;

export const proofType: ResourceType<ProofInputs, ProofOutputs> = {
  inputs: {
    filter: "update",
    url: "update",
    method: "update",
    headers: "update",
    body: "update",
    expect: "update",
    problem: "update",
    send: "update",
    digest: "update",
    process: "update",
    cluster: "ignore",
    timeoutMs: "ignore",
  },
  id: ({ filter }) => filter,
  create: (inputs, context) => proveOrExplain(inputs, context),
  update: (_olds, news, context) => proveOrExplain(news, context),
};

async function proveOrExplain(inputs: ProofInputs, context: Context): Promise<ProofOutputs> {
  const { problem, send = true, timeoutMs } = inputs;
  const { signal, secretInputs: secret } = context;
  if (problem !== undefined) throw new UserError(problem);
  if (!send) return { status: 0, seen: {} };
  const started = Date.now();
  try {
    const { status, seen } = await prove(inputs, { timeoutMs, signal, secret });
    return { status, seen };
  } catch (error) {
    if (!(error instanceof UserError) || !inputs.cluster || signal.aborted) throw error;
    throw new UserError([error.message, ...(await explanation(inputs.cluster, started))].join("\n"));
  }
}

/** The proxies' log lines. If they cannot be read, the rest is reported without them. */
async function explanation({ kubeconfig, mesh }: NonNullable<ProofInputs["cluster"]>, started: number) {
  try {
    const { KubeApi } = await import("../kube/api.ts");
    const { clusterInspector } = await import("../components/mesh/inspectors.ts");
    const time = new Date(started - clockToleranceMs).toISOString();
    const { before, since } = await (await clusterInspector(mesh)).complaints(await KubeApi.open(kubeconfig), time);
    if (since.length > 0) return ["  the proxy's log:", ...indented(since)];
    return before.length > 0 ? ["  the proxy's log, from before the request:", ...indented(before)] : [];
  } catch (error) {
    return [`  the proxy's log cannot be had: ${messageOf(error)}`];
  }
}

const indented = (lines: string[]) => lines.slice(-8).map((line) => `    ${line}`);
