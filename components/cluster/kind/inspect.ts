import { join } from "node:path";
import { messageOf } from "../../../lib/errors.ts";
import { exec } from "../../../lib/exec.ts";
import { httpRequest } from "../../../lib/http.ts";
import { stackDir } from "../../../lib/paths.ts";
import { Broken, up } from "../../../lib/steps.ts";
import type { ClusterInspector } from "../inspector.ts";
import { nodeName, registryContainer } from "./config.ts";
import { clusterName, settingsOf } from "./schema.ts";

export const inspector: ClusterInspector = {
  kubeconfig: (stack) => join(stackDir(stack), "kubeconfig"),

  async diagnose({ name, config }, check) {
    const settings = settingsOf(config);
    const cluster = clusterName(settings, name);
    const url = `http://127.0.0.1:${settings.registryPort}`;
    await check("docker", [], docker);
    await check("cluster", ["docker"], () => running(nodeName(cluster), "the cluster"));
    const look = () => registryAnswers({ url, container: registryContainer(cluster) });
    return {
      needs: ["cluster"],
      registry: { address: `${settings.registryHost}:5000`, url, look, needs: ["docker"] },
    };
  },
};

async function docker(): Promise<string> {
  const result = await exec("docker", ["version", "--format", "{{.Server.Version}}"], { timeoutMs: 10_000 }).catch(
    (error) => {
      throw new Broken(messageOf(error), "install Docker: https://docs.docker.com/get-docker/");
    },
  );
  if (result.code !== 0) throw new Broken(firstLine(result.stderr), "start Docker; you need the right to use it");
  return `engine ${result.stdout.trim()}`;
}

async function running(container: string, what: string): Promise<string> {
  const format = ["--format", "{{.State.Status}}"];
  const result = await exec("docker", ["container", "inspect", ...format, container], { timeoutMs: 10_000 });
  if (result.code !== 0) throw new Broken(`there is no container ${container}`, up);
  const status = result.stdout.trim();
  if (status !== "running") throw new Broken(`${what}'s container is ${status}`, `docker start ${container}`);
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
