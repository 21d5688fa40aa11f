import { runsInCluster } from "../../components/mesh/inspectors.ts";
import { UserError } from "../../lib/errors.ts";
import { root, stateDir } from "../../lib/paths.ts";
import { duration } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { refreshWorkspace, requireStack } from "../stack/files.ts";
import { withStack } from "../stack/stack.ts";
import { up } from "../stack/update.ts";

/** All that is in a cluster; policies and proofs among it. */
const inCluster = ["**kubernetes:**"];
/** What the state says of an image is not what a registry has. */
const images = ["**docker:index/image:Image**"];

/** `npm run push -- STACK`: the filters' images, built and pushed; what runs in the cluster stays as it is. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  requireStack(root, name);
  if (!runsInCluster(refreshWorkspace(root, stateDir, name).config["meshup:mesh"]))
    throw new UserError(`Stack ${name} has no images to push: its Envoy loads modules from files.`);
  const { changes, durationMs, outputs } = await withStack(name, "push", terminal, (stack) => {
    terminal.note(`Pushing the images of stack ${name} with Pulumi ${stack.engine.version}`);
    return up(stack, terminal, { without: inCluster, replace: images });
  });
  const pushed = (outputs.known.images as string[]).toSorted();
  if (pushed.length === 0) terminal.print(`No filter of stack ${name} comes by an image.`);
  else terminal.print(`In the registry (${duration(durationMs)}):`);
  for (const image of pushed) terminal.print(`  ${image}`);
  terminal.document({ ok: true, stack: name, changes, images: pushed });
  return 0;
};
