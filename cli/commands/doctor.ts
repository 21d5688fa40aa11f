import { advised, type DiagnosedFilter, kubectlOf, type Step } from "../../kube/diagnose/steps.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import { isAskable, proveInWords } from "../../proof/output.ts";
import { type ClusterPlace, clusterOf, kindOf } from "../inspect/cluster.ts";
import { processesOf } from "../inspect/processes.ts";
import { type FilterOutput, filterOutputs, otherAtGateway } from "../inspect/proof.ts";
import { filterReadyInputs, servedModules } from "../inspect/served.ts";
import { urlStatus } from "../inspect/workloads.ts";
import type { Run } from "../run.ts";
import { driftIn } from "../stack/mend.ts";
import { openOutputs } from "../stack/outputs.ts";
import { type Deployment, readDeployment } from "../stack/stack.ts";

/** `npm run doctor [-- STACK]`: step by step from this machine to a header on a response, which one is broken. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const deployment = await readDeployment(name, terminal);
  const { known, shown: outputs } = await openOutputs(name, deployment, terminal);
  if (!deployment?.resources?.length)
    throw new UserError(
      `Stack ${name} is not up: ${name === "local" ? "npm start" : `npm start -- ${name}`} brings it up.`,
    );

  const filters = filterOutputs(known, outputs);
  const cluster = clusterOf(deployment);
  const found = cluster
    ? await examineCluster(cluster, deployment, filters)
    : await examineMachine(deployment, outputs, filters);
  found.push(...(await localhostStep(outputs)));
  const kubectl = cluster ? kubectlOf({ kubeconfig: cluster.kubeconfig, kind: kindOf(deployment)?.name }) : "kubectl";
  const steps = found.map((step) => advised(step, { stack: name, kubectl }));
  if (steps.length === 0)
    throw new UserError(
      `Nothing of stack ${name} has come up that could be looked at: \`npm start -- ${name}\` says why.`,
    );
  const width = Math.max(...steps.map((step) => step.name.length));
  const { good, bad } = terminal.paint;
  for (const { name, ok, detail, mend } of steps) {
    const mark = ok === undefined ? "-     " : ok ? `${good("ok")}    ` : `${bad("BROKEN")}`;
    terminal.print(`  ${mark}  ${name.padEnd(width)}  ${detail.replaceAll("\n", `\n${" ".repeat(width + 12)}`)}`);
    if (mend) terminal.print(`${" ".repeat(width + 12)}to mend it: ${mend}`);
  }
  const broken = steps.filter((step) => step.ok === false);
  terminal.print(
    broken.length === 0 ? "\nNothing is broken." : `\nBroken: ${broken.map((step) => step.name).join(", ")}.`,
  );
  terminal.document({ ok: broken.length === 0, stack: name, steps });
  return broken.length === 0 ? 0 : 1;
};

/** What people ask is the gateway, where it is this machine's. */
async function localhostStep({ gatewayUrl }: Record<string, unknown>): Promise<Step[]> {
  if (typeof gatewayUrl !== "string" || new URL(gatewayUrl).hostname !== "localhost") return [];
  const taken = await otherAtGateway(gatewayUrl);
  if (!taken) return [{ name: "localhost", ok: true, detail: `${gatewayUrl} is this stack's alone` }];
  return [{ name: "localhost", ok: false, detail: taken.other, mend: `stop that process, or ask ${taken.own}` }];
}

/** What the stack's state names is what is looked at. */
async function examineCluster(
  { kubeconfig, mesh }: ClusterPlace,
  deployment: Deployment,
  filters: FilterOutput[],
): Promise<Step[]> {
  const { diagnose } = await import("../../kube/diagnose/diagnose.ts");
  const inputsOf = (type: string) => deployment.resources?.find((r) => r.type === type)?.inputs;
  const container = inputsOf("docker:index/container:Container") as
    | { name: string; ports: { external: number }[] }
    | undefined;
  return diagnose({
    kubeconfig,
    kind: kindOf(deployment)?.name,
    registry: container && { url: `http://127.0.0.1:${container.ports[0]?.external}`, container: container.name },
    drift: (api) => driftIn(api, deployment),
    mesh,
    filters: filters.map((filter) => diagnosed(filter, deployment)),
  });
}

function diagnosed({ image, ...filter }: FilterOutput, deployment: Deployment): DiagnosedFilter {
  const [, repository, digest] = /^[^/]+\/(.+)@(sha256:[0-9a-f]+)$/.exec(image ?? "") ?? [];
  const ready = filterReadyInputs(deployment).find((inputs) => inputs.filter === filter.name);
  return { ...filter, ...(repository && digest && { image: { repository, digest } }), ...(ready && { ready }) };
}

/** The same for processes of this machine: does each run, has Envoy each module, does a request show it. */
async function examineMachine(
  deployment: Deployment,
  outputs: Record<string, unknown>,
  filters: FilterOutput[],
): Promise<Step[]> {
  const processes = processesOf(deployment, Date.now());
  const steps: Step[] = processes.map(({ name, pid, alive, ports, log }) => ({
    name,
    ok: alive,
    detail: alive ? `pid ${pid}, port ${ports.join(", ")}` : `pid ${pid} has ended; what it said last stands in ${log}`,
    ...(!alive && { mend: "`npm start -- STACK` starts it again" }),
  }));
  const urls = await urlStatus(
    outputs,
    processes.map((process) => process.name),
  );
  for (const { name, address, problem } of urls)
    steps.push({
      name,
      ok: problem === undefined,
      detail: problem === undefined ? `answers at ${address}` : `nobody answers at ${address}: ${problem}`,
      ...(problem !== undefined && { mend: `start it, or name where it is: meshup:workloads.${name}.url` }),
    });
  const modules = await servedModules(deployment, outputs, filters).catch((error) => messageOf(error));
  for (const filter of filters) {
    const served = typeof modules === "string" ? undefined : modules?.find((module) => module.filter === filter.name);
    const step = `module of ${filter.name}`;
    if (served?.running) steps.push({ name: step, ok: true, detail: `sha256:${filter.digest}` });
    else
      steps.push({
        name: step,
        ok: false,
        detail: typeof modules === "string" ? modules : "Envoy has another module",
        mend: "`npm start -- STACK` hands Envoy its configuration again",
      });
    if (filter.url !== undefined) steps.push(await request(filter));
  }
  return steps;
}

async function request(filter: FilterOutput): Promise<Step> {
  const name = `request for ${filter.name}`;
  try {
    const detail = await proveInWords(filter, 3_000);
    return { name, detail, ...(isAskable(filter) && { ok: true }) };
  } catch (error) {
    const mend = "`npm run logs -- STACK envoy` has the filter's own lines";
    return { name, ok: false, detail: messageOf(error), mend };
  }
}
