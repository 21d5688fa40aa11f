/** Step by step from this machine to a header on a response: which one is broken. */
import { clusterKind, clusterNames } from "../../components/cluster/index.ts";
import type { KubeApi } from "../../kube/api.ts";
import { Broken, type Check, type Step, Steps } from "../../lib/steps.ts";
import type { Outputs } from "../stack/outputs.ts";
import { type ClusterPlace, placeOf } from "./cluster.ts";
import { meshOf } from "./mesh.ts";
import { type ProcessStatus, processesIn } from "./processes.ts";
import { filterOutputs } from "./proof.ts";

export interface ExaminedStack {
  name: string;
  /** Its folder in the clone. */
  directory: string;
  /** What stands under `meshup:` in its file, by key. */
  config: Record<string, unknown>;
  outputs: Outputs;
}

/** What a broken step leaves unknown is not looked at; all else is. */
export async function examine(stack: ExaminedStack): Promise<Step[]> {
  const { name, directory, config, outputs } = stack;
  const steps = new Steps();
  for (const process of processesIn(directory, Date.now()))
    await steps.check(process.name, [], async () => processStep(process));
  const place = await placeOf(name, outputs.shown, config);
  const api = place && (await examineCluster(stack, place, steps.check));
  const mesh = await meshOf({ ...outputs, shown: { mesh: place?.mesh, ...outputs.shown } }, { api });
  await mesh?.inspector.diagnose(mesh.running, steps.check);
  return steps.all;
}

function processStep({ pid, alive, ports, log }: ProcessStatus): string {
  if (!alive) throw new Broken(`pid ${pid} has ended; what it said last stands in ${log}`, "npm start starts it again");
  return `pid ${pid}, port ${ports.join(", ")}`;
}

/** The cluster that the mesh is in, and the images of its filters. @returns undefined where it does not answer */
async function examineCluster(
  { name, config, outputs }: ExaminedStack,
  { kubeconfig }: ClusterPlace,
  check: Check,
): Promise<KubeApi | undefined> {
  const { diagnoseCluster, imageIsThere } = await import("../../kube/diagnose.ts");
  const kind = clusterNames.includes(String(config.cluster)) ? clusterKind(String(config.cluster)) : undefined;
  const { needs = [], registry } = (await (await kind?.inspect?.())?.diagnose({ name, config }, check)) ?? {};
  const api = await diagnoseCluster(kubeconfig, needs, check);
  if (!registry) return api;
  await check("registry", registry.needs, registry.look);
  for (const { name: filter, image = "" } of filterOutputs(outputs.shown)) {
    const [, address, repository, digest] = /^([^/]+)\/(.+)@(sha256:[0-9a-f]+)$/.exec(image) ?? [];
    if (address === registry.address && repository && digest)
      await check(`image of ${filter}`, ["registry"], () => imageIsThere(registry.url, { repository, digest }));
  }
  return api;
}
