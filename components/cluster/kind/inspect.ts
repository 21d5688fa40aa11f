import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../../lib/errors.ts";
import { exec } from "../../../lib/exec.ts";
import { httpRequest } from "../../../lib/http.ts";
import { Broken, up } from "../../../lib/steps.ts";
import { allContainers, type Container, docker, findContainers } from "../docker.ts";
import type { ClusterInspector, ConfiguredStack } from "../inspector.ts";
import { clusterIdentifier, kubeconfigIn, nodeName, ownerId, ownerOf, ownership, registryContainer } from "./config.ts";
import { clusterName, writtenSettings } from "./schema.ts";

export const inspector: ClusterInspector = {
  kubeconfig: (stack) => kubeconfigIn(ownerOf(stack).directory),

  /** There is one in the node, which needs nothing else. */
  kubectl: (stack) => `docker exec ${nodeOf(stack)} kubectl --kubeconfig /etc/kubernetes/admin.conf`,

  node: ownNode,

  async identifier(stack) {
    const node = await ownNode(stack);
    return node && clusterIdentifier(nameOf(stack), ownership(node)?.generation ?? "");
  },

  registry(stack) {
    const { registryHost, registryPort } = writtenSettings(stack.config);
    const url = `http://127.0.0.1:${registryPort}`;
    const container = registryContainer(nameOf(stack));
    const look = () => registryAnswers({ url, container });
    return { address: `${registryHost}:5000`, url, container, look, needs: ["docker"] };
  },

  async diagnose(stack, check) {
    await check("docker", [], dockerRuns);
    await check("cluster", ["docker"], () => running(nodeOf(stack), "the cluster"));
    return ["cluster"];
  },

  async removeLeft(stack) {
    const owner = ownerOf(stack);
    if (!existsSync(join(owner.directory, "kind"))) return []; // it goes with the cluster
    const own = (await allContainers()).filter((container) => ownership(container)?.owner === ownerId(owner));
    if (own.length > 0) await docker(["rm", "--force", "--volumes", ...own.map(({ id }) => id)]);
    return own.map(({ name }) => name);
  },
};

const nameOf = ({ name, config }: ConfiguredStack) => clusterName(writtenSettings(config), name);
const nodeOf = (stack: ConfiguredStack) => nodeName(nameOf(stack));

async function ownNode(stack: ConfiguredStack): Promise<Container | undefined> {
  const [node] = await findContainers([nodeOf(stack)]).catch(() => []);
  return node && ownership(node)?.owner === ownerId(ownerOf(stack.name)) ? node : undefined;
}

async function dockerRuns(): Promise<string> {
  const result = await exec("docker", ["version", "--format", "{{.Server.Version}}"], { timeoutMs: 10_000 }).catch(
    (error) => {
      throw new Broken(messageOf(error), "install Docker: https://docs.docker.com/get-docker/");
    },
  );
  if (result.code !== 0)
    throw new Broken(
      firstLine(result.stderr),
      "start Docker (you need the right to use it), then `npm start -- STACK`",
    );
  return `engine ${result.stdout.trim()}`;
}

async function running(container: string, what: string): Promise<string> {
  const format = ["--format", "{{.State.Status}}"];
  const result = await exec("docker", ["container", "inspect", ...format, container], { timeoutMs: 10_000 });
  if (result.code !== 0) throw new Broken(`there is no container ${container}`, up);
  const status = result.stdout.trim();
  if (status === "restarting")
    throw new Broken(`${what}'s container ends again and again`, `docker logs ${container} says why`);
  if (status !== "running")
    throw new Broken(
      `${what}'s container is ${status}`,
      `docker ${status === "paused" ? "unpause" : "start"} ${container}`,
    );
  return `container ${container} runs`;
}

async function registryAnswers({ url, container }: { url: string; container: string }): Promise<string> {
  await running(container, "the registry");
  const { status } = await httpRequest({ url: `${url}/v2/`, timeoutMs: 5000 }).catch((error) => {
    throw new Broken(messageOf(error), `docker logs ${container} says why`);
  });
  if (status !== 200 && status !== 401)
    throw new Broken(`${url} answers ${status}`, `docker logs ${container} says why`);
  return `answers at ${url}`;
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
