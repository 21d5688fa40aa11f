import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../components/cluster/docker.ts";
import { imageReference, withOverrides } from "../../components/config/overrides.ts";
import { exec } from "../../lib/exec.ts";
import { httpRequest } from "../../lib/http.ts";
import type { DevStack } from "./dev-stack.ts";

export interface PrivateRegistry {
  /** As the control plane pulls from it, for `meshup:registry.address`. */
  address: string;
  /** As this machine pushes to it, for `meshup:registry.push`. */
  push: string;
  username: string;
  password: string;
  /** It refuses the cluster's connections; this machine can still push to it. */
  leaveCluster(): Promise<void>;
  joinCluster(): Promise<void>;
  stop(): Promise<void>;
}

/** Has a stack's images in this registry; `up` puts it in force. The password is in the stack's file as a secret. */
export async function useRegistry(
  { clone }: DevStack,
  { push, username, password, address }: PrivateRegistry,
  named = address,
): Promise<void> {
  await clone.configure((file) => file.setIn(["config", "meshup:registry"], { address: named, push, username }));
  const { code, stdout, stderr } = await clone.run(["init", clone.stack]);
  if (code !== 0) throw new Error(stderr);
  const set = `${stdout}\npulumi config set -s ${clone.stack} --secret meshup:registryPassword`;
  const done = await exec("sh", ["-c", set], { cwd: clone.folder, env: clone.env(), input: password });
  if (done.code !== 0) throw new Error(done.stderr);
  if ((await clone.read(clone.stackFile)).includes(password)) throw new Error("the password is in plain text");
}

const host = "private.localhost"; // under .localhost Envoy Gateway speaks plain HTTP
const username = "me";
const password = "meshup-e2e-password";
/** What `htpasswd -nbB me meshup-e2e-password` prints, with the fewest rounds. */
const htpasswd = "me:$2a$04$BEQpHuNcjZjzbBqTDk19HeK/756lyLalQ8kKikQtOt4.2caonhWUC";
const passwords = "/htpasswd";
const [pushPort, pullPort] = [5999, 5000];

/**
 * A registry on kind's network that asks for a password; the network is there once there is a cluster. It is two
 * programs with one address and one storage: this machine pushes by one of them, the cluster pulls by the other, which
 * can be stopped.
 */
export async function startPrivateRegistry(): Promise<PrivateRegistry> {
  const made: string[] = [];
  const stop = async () => void (await docker(["rm", "--force", "--volumes", ...[...made].reverse()]));
  const create = async (args: string[], port: number) => {
    const container = await createRegistry(args, port);
    made.push(container);
    await copyPasswords(container);
    return container;
  };
  try {
    const place = ["--publish", `127.0.0.1::${pushPort}`, "--volume", "/var/lib/registry"];
    const forPush = await create(place, pushPort);
    await docker(["network", "connect", "--alias", host, "kind", forPush]);
    await docker(["start", forPush]);
    const forPull = await create(["--network", `container:${forPush}`, "--volumes-from", forPush], pullPort);
    await docker(["start", forPull]);
    const [published = ""] = (await docker(["port", forPush, `${pushPort}/tcp`])).split("\n");
    const push = `localhost:${published.split(":").at(-1)}`;
    await waitUntilItAsks(push);
    return {
      ...{ address: `${host}:${pullPort}`, push, username, password, stop },
      leaveCluster: async () => void (await docker(["stop", forPull])),
      joinCluster: async () => void (await docker(["start", forPull])),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns its id */
async function createRegistry(args: string[], port: number): Promise<string> {
  const { images = "{}" } = withOverrides({});
  const image = imageReference({ images: JSON.parse(images) }, "docker.io/library/registry:3");
  const environment = {
    OTEL_TRACES_EXPORTER: "none",
    REGISTRY_HTTP_ADDR: `:${port}`,
    REGISTRY_AUTH: "htpasswd",
    // Istio's agent takes only a realm that is an address.
    REGISTRY_AUTH_HTPASSWD_REALM: `http://${host}`,
    REGISTRY_AUTH_HTPASSWD_PATH: passwords,
  };
  const environmentArgs = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  return (await docker(["create", ...args, ...environmentArgs, image])).trim();
}

async function copyPasswords(container: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "meshup-registry-"));
  try {
    await writeFile(join(folder, "htpasswd"), `${htpasswd}\n`);
    await docker(["cp", join(folder, "htpasswd"), `${container}:${passwords}`]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function waitUntilItAsks(server: string): Promise<void> {
  for (const end = Date.now() + 30_000; ; await sleep(100)) {
    const answer = await httpRequest({ url: `http://${server}/v2/` }).catch((error: unknown) => error);
    if ((answer as { status?: number }).status === 401) return;
    if (Date.now() > end) throw new Error(`the registry at ${server} does not ask for a password`, { cause: answer });
  }
}
