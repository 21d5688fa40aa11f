/** The proxies that a kind cluster's node is made with: its containerd pulls images through them. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { exceptions } from "../../../lib/environment.mjs";

/** The part of Docker's config.json that the docker client sets in every container (docs.docker.com/engine/cli/proxy). */
interface DockerConfig {
  proxies?: Record<string, { httpProxy?: string; httpsProxy?: string; noProxy?: string }>;
}

/**
 * What `kind create cluster` has to find in its environment: it hands these proxies to the node, and leaves the node's own
 * networks out. A proxy that only Docker knows is handed over in the same way, or the docker client would give it to the
 * node whole. The registry is none of what kind knows. A proxy on this machine's loopback is out of the node's reach, and
 * left out.
 *
 * @param registries names of hosts that the node reaches without a proxy
 * @returns variables to be set, an empty one so that what is inherited does not count
 */
export function proxyEnvironment(
  env: NodeJS.ProcessEnv,
  registries: string[],
  docker = readDockerConfig(env),
): Record<string, string> {
  const all = docker.proxies ?? {};
  const dockers = all[env.DOCKER_HOST ?? ""] ?? all.default ?? {};
  const [http, https, except] = [
    variable(env, "http_proxy") ?? dockers.httpProxy,
    variable(env, "https_proxy") ?? dockers.httpsProxy,
    variable(env, "no_proxy") ?? dockers.noProxy,
  ];
  const reachable = Object.entries({ HTTP_PROXY: http, HTTPS_PROXY: https }).filter(
    ([, url]) => url && !onLoopback(url),
  );
  const inherited = names.filter((name) => env[name]);
  const NO_PROXY = exceptions(except, registries);
  return {
    ...Object.fromEntries(inherited.map((name) => [name, ""])),
    ...(reachable.length > 0 && { ...Object.fromEntries(reachable as [string, string][]), NO_PROXY }),
  };
}

const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/** kind prefers capitals, too. */
function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name.toUpperCase()] || env[name] || undefined;
}

function onLoopback(url: string): boolean {
  return /^(\w+:\/\/)?([^@/]*@)?(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/i.test(url);
}

function readDockerConfig(env: NodeJS.ProcessEnv): DockerConfig {
  try {
    return JSON.parse(readFileSync(join(env.DOCKER_CONFIG || join(homedir(), ".docker"), "config.json"), "utf8")) ?? {};
  } catch {
    return {}; // there is none; a broken one is told by the docker client
  }
}
