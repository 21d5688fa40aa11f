/** What somebody does to a stack's cluster by hand: the next start makes it anew, and destroy is content with it. */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findContainers } from "../../components/cluster/docker.ts";
import { nodeName } from "../../components/cluster/kind/config.ts";
import { withOverrides } from "../../components/config/overrides.ts";
import { exec } from "../../lib/exec.ts";
import type { ScratchClone } from "../local/scratch-clone.ts";
import type { DevStack } from "./dev-stack.ts";
import { containersOf } from "./leftovers.ts";

/** Each makes the cluster anew, with all that is in it: about a minute. */
export function clusterByHand(stackOf: () => DevStack): void {
  const network = "meshup-e2e-other";
  const name = () => stackOf().cluster.name;
  const start = async (env?: NodeJS.ProcessEnv) => {
    const { code, stdout, stderr } = await stackOf().start(env);
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const networks = async () => (await findContainers(containersOf(name()))).map(({ aliases }) => Object.keys(aliases));

  describe("the cluster", () => {
    it("deleted by hand is made anew by the next start, and the state knows nothing of the one before", async () => {
      await exec("kind", ["delete", "cluster", "--name", name()]);
      const doctor = await stackOf().clone.run(["doctor", stackOf().clone.stack]);
      expect(doctor.stdout).toMatch(/BROKEN +cluster .*\n +to mend it: `npm start -- dev` makes what is missing/);
      await start();
      expect(await start()).toMatch(/Nothing to change/);
    });

    describe("whose node has gone, while another cluster answers at its address", () => {
      let other: OtherCluster;
      afterAll(() => other?.remove());

      it("is made anew, on the Docker network that is asked for, and the other is left alone", async () => {
        const server = await serverOf(stackOf());
        await exec("docker", ["rm", "--force", "--volumes", nodeName(name())]);
        other = await OtherCluster.at(server);
        await makeNetwork(network);
        await start({ KIND_EXPERIMENTAL_DOCKER_NETWORK: network });
        expect(await networks()).toEqual([[network], [network]]);
        expect(await other.answers()).toBe(true);
      });

      it("stays on that network", async () => {
        expect(await start()).toMatch(/Nothing to change/);
      });
    });
  });

  afterAll(() => removeNetwork(network));
}

/** What the clone's state was before the stack was taken down: by it, all of the stack is still there. */
export class StateOfBefore {
  readonly server: URL;
  readonly #clone: ScratchClone;
  readonly #kept: string;

  private constructor(clone: ScratchClone, kept: string, server: URL) {
    this.server = server;
    this.#clone = clone;
    this.#kept = kept;
  }

  static async keep(clone: ScratchClone): Promise<StateOfBefore> {
    const kept = join(clone.folder, "kept");
    await cp(join(clone.folder, ".meshup"), kept, { recursive: true });
    return new StateOfBefore(clone, kept, await serverIn(clone));
  }

  async putBack(): Promise<void> {
    const folder = join(this.#clone.folder, ".meshup");
    await rm(folder, { recursive: true, force: true });
    await cp(this.#kept, folder, { recursive: true });
  }
}

/** About 10 s each, and half a minute for the other cluster. */
export function destroysWhatHasGone(stackOf: () => DevStack, kept: () => StateOfBefore): void {
  describe("destroy of a stack whose cluster has gone", () => {
    let other: OtherCluster;
    afterAll(() => other?.remove());

    const destroy = async () => {
      await kept().putBack();
      const { clone } = stackOf();
      const { code, stdout, stderr } = await clone.run(["destroy", clone.stack]);
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/is down: \d+ resources deleted/);
    };

    it("takes the rest down", destroy);

    it("leaves another cluster alone that answers at its address, and has its name by now", async () => {
      other = await OtherCluster.at(kept().server, stackOf().cluster.name);
      await destroy();
      expect(await other.answers()).toBe(true);
    });
  });
}

const serverOf = (stack: DevStack) => serverIn(stack.clone);

/** Where the stack's kubeconfig leads to. */
async function serverIn(clone: ScratchClone): Promise<URL> {
  const kubeconfig = parse(await clone.read(`.meshup/stacks/${clone.stack}/kubeconfig`));
  return new URL(kubeconfig.clusters[0].cluster.server);
}

/** Somebody's own kind cluster. */
class OtherCluster {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** @param server where its API server listens */
  static async at(server: URL, name = "meshup-e2e-other"): Promise<OtherCluster> {
    const config = {
      ...{ kind: "Cluster", apiVersion: "kind.x-k8s.io/v1alpha4" },
      networking: { apiServerAddress: server.hostname, apiServerPort: Number(server.port) },
    };
    const { nodeImage } = withOverrides({});
    const image = nodeImage === undefined ? [] : ["--image", nodeImage];
    const nowhere = ["--kubeconfig", join("/tmp", `${name}-other.kubeconfig`)];
    const args = ["create", "cluster", "--name", name, "--config", "-", ...nowhere, ...image];
    const { code, stderr } = await exec("kind", args, { input: JSON.stringify(config) });
    expect(code, stderr).toBe(0);
    return new OtherCluster(name);
  }

  async answers(): Promise<boolean> {
    const kubectl = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes"];
    return (await exec("docker", ["exec", nodeName(this.#name), ...kubectl])).code === 0;
  }

  async remove(): Promise<void> {
    await exec("docker", ["rm", "--force", "--volumes", nodeName(this.#name)]);
    await rm(join("/tmp", `${this.#name}-other.kubeconfig`), { force: true });
  }
}

/**
 * With all that serves the nodes on kind's own network, such as a registry that stands for those of the internet. Where
 * there is one, nothing may leave the network: a proxy of this machine's own might answer for a Service in the cluster.
 */
async function makeNetwork(network: string): Promise<void> {
  const serving = await servingNodes();
  const closed = serving.length > 0 ? ["--opt", "com.docker.network.bridge.enable_ip_masquerade=false"] : [];
  await exec("docker", ["network", "create", ...closed, network]);
  for (const container of serving) await exec("docker", ["network", "connect", network, container]);
}

async function removeNetwork(network: string): Promise<void> {
  for (const container of await servingNodes()) await exec("docker", ["network", "disconnect", network, container]);
  await exec("docker", ["network", "rm", network]);
}

async function servingNodes(): Promise<string[]> {
  const format = "{{range .Containers}}{{println .Name}}{{end}}";
  const { stdout } = await exec("docker", ["network", "inspect", "kind", "--format", format]);
  return stdout.split("\n").filter((name) => name !== "" && !/-control-plane$|^meshup-/.test(name));
}
