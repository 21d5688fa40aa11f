import { runsInCluster } from "../../components/mesh/inspectors.ts";
import { UserError } from "../../lib/errors.ts";
import { root, stateDir } from "../../lib/paths.ts";
import { duration } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { refreshWorkspace, requireStack } from "../stack/files.ts";
import { type Deployment, type StateResource, withStack } from "../stack/stack.ts";
import { up } from "../stack/update.ts";

/** All that is in a cluster; policies and proofs among it. */
const inCluster = ["**kubernetes:**"];

/** `npm run push -- STACK`: the filters' images, built and pushed; what runs in the cluster stays as it is. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  requireStack(root, name);
  if (!runsInCluster(refreshWorkspace(root, stateDir, name).config["meshup:mesh"]))
    throw new UserError(`Stack ${name} has no images to push: its Envoy loads modules from files.`);
  const { result, images } = await withStack(name, "push", terminal, async (stack) => {
    terminal.note(`Pushing the images of stack ${name} with Pulumi ${stack.engine.version}`);
    // What the state says of an image is not what a registry has.
    const replace = imagesIn(await stack.export()).map(({ urn }) => urn);
    const result = await up(stack, terminal, { without: inCluster, replace });
    return { result, images: imagesOf(await stack.export()) };
  });
  if (images.length === 0) terminal.print(`No filter of stack ${name} comes by an image.`);
  else terminal.print(`In the registry (${duration(result.durationMs)}):`);
  for (const image of images) terminal.print(`  ${image}`);
  terminal.document({ ok: true, stack: name, changes: result.changes, images });
  return 0;
};

/** As this machine pushed them: `127.0.0.1:5001/meshup/filter@sha256:…`. */
function imagesOf(deployment: Deployment | undefined): string[] {
  return imagesIn(deployment)
    .map(({ outputs }) => String(outputs?.repoDigest))
    .sort();
}

function imagesIn(deployment: Deployment | undefined): StateResource[] {
  return deployment?.resources?.filter((r) => r.type === "docker:index/image:Image" && !r.delete) ?? [];
}
