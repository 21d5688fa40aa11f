/** Step by step from this machine to a header on a response: which one is broken. */
import type { KubeApi } from "../../kube/api.ts";
import { advised, Broken, type Check, type Step, Steps } from "../../lib/steps.ts";
import { type ClusterPlace, clusterInspectorOf, placeOf, type StackView } from "./cluster.ts";
import { meshOf } from "./mesh.ts";
import { type ProcessStatus, processesIn } from "./processes.ts";
import { filterOutputs } from "./proof.ts";
import { urlStatus } from "./workloads.ts";

export interface ExaminedStack extends StackView {
  /** Its outputs as they are, for use. */
  known: Record<string, unknown>;
  /** Finds what of its objects in its cluster is gone or changed, a line for each. */
  drift(api: KubeApi): Promise<string[]>;
}

/** What a broken step leaves unknown is not looked at; all else is. What is advised names the stack. */
export async function examine(stack: ExaminedStack): Promise<Step[]> {
  const { name, directory, outputs, known } = stack;
  const steps = new Steps();
  const processes = processesIn(directory, Date.now());
  for (const process of processes) await steps.check(process.name, [], async () => processStep(process));
  await checkUrls(stack, processes, steps.check);
  const place = await placeOf(stack);
  const api = place && (await examineCluster(stack, place, steps.check));
  const mesh = await meshOf({ known, shown: { mesh: place?.mesh, ...outputs } }, { api });
  await mesh?.inspector.diagnose(mesh.running, steps.check);
  const kubectl = (await clusterInspectorOf(stack))?.kubectl(stack) ?? `kubectl --kubeconfig ${place?.kubeconfig}`;
  return steps.all.map((step) => advised(step, { stack: name, kubectl }));
}

function processStep({ pid, alive, ports, log }: ProcessStatus): string {
  if (!alive)
    throw new Broken(
      `pid ${pid} has ended; what it said last stands in ${log}`,
      "`npm start -- STACK` starts it again",
    );
  return `pid ${pid}, port ${ports.join(", ")}`;
}

/** Workloads that are somewhere already. Those of a mesh in a cluster are not this machine's to reach. */
async function checkUrls(stack: ExaminedStack, processes: ProcessStatus[], check: Check): Promise<void> {
  if (await placeOf(stack)) return;
  const own = processes.map(({ name }) => name);
  for (const { name, address, problem } of await urlStatus(stack.outputs, own))
    await check(name, [], async () => {
      if (problem === undefined) return `answers at ${address}`;
      const mend = `start it, or name where it is: meshup:workloads.${name}.url`;
      throw new Broken(`nobody answers at ${address}: ${problem}`, mend);
    });
}

/** The cluster that the mesh is in, and the images of its filters. @returns undefined where it does not answer */
async function examineCluster(
  stack: ExaminedStack,
  { kubeconfig }: ClusterPlace,
  check: Check,
): Promise<KubeApi | undefined> {
  const { diagnoseCluster, imageIsThere, objectsStep } = await import("../../kube/diagnose.ts");
  const inspector = await clusterInspectorOf(stack);
  const api = await diagnoseCluster(kubeconfig, (await inspector?.diagnose(stack, check)) ?? [], check);
  await check("objects", ["kubernetes API"], async () => objectsStep(await stack.drift(api as KubeApi)));
  const registry = inspector?.registry(stack);
  if (!registry) return api;
  await check("registry", registry.needs, registry.look);
  for (const { name: filter, image = "" } of filterOutputs(stack.outputs)) {
    const [, address, repository, digest] = /^([^/]+)\/(.+)@(sha256:[0-9a-f]+)$/.exec(image) ?? [];
    if (address === registry.address && repository && digest)
      await check(`image of ${filter}`, ["registry"], () => imageIsThere(registry.url, { repository, digest }));
  }
  return api;
}
