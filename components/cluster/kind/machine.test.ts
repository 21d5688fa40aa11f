import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { scratch, script } from "../../../provider/testing/scratch.ts";
import { freePort } from "../../../test/ports.ts";
import type { Container } from "../docker.ts";
import { directoryLabel, generationLabel, nodeName, ownerId, ownerLabel } from "./config.ts";
import { conflicts, inspectMachine, kindProblem, type MachineArgs } from "./machine.ts";

const args: MachineArgs = {
  owner: { stack: "dev", directory: "/clone/.meshup/stacks/dev" },
  cluster: "meshup-dev",
  gatewayPort: 30000,
  registry: "meshup-dev-registry",
  registryPort: 5001,
  registryHost: "registry.localhost",
};
const container = (parts: Partial<Container>): Container => ({
  ...{ id: "1", name: "x", running: true, paused: false, labels: {}, mounts: {}, ports: [], aliases: {} },
  ...parts,
});
/** A node's generation ends with the settings that it was made from. */
const generation = (gatewayPort: number, nodeImage = "") =>
  `g1-${createHash("sha256").update(`${nodeImage} ${gatewayPort}`).digest("hex").slice(0, 6)}`;
const mountPath = (gatewayPort: number) => `/etc/meshup/${ownerId(args.owner)}/${generation(gatewayPort)}`;
const mountsOf = (gatewayPort: number) => [{ Destination: mountPath(gatewayPort), Source: "/x" }];
const ownLabels = { [ownerLabel]: ownerId(args.owner), [generationLabel]: "g2" };

describe("what other containers have that the stack needs", () => {
  it("its own are in nobody's way", () => {
    const own = [
      container({ name: nodeName("meshup-dev"), mounts: { [mountPath(30000)]: "/x" }, ports: [30000] }),
      container({ name: args.registry, labels: ownLabels, ports: [5001], aliases: { kind: ["registry.localhost"] } }),
    ];
    expect(conflicts({ ...args, network: "kind" }, own)).toEqual([]);
  });

  it("names all at once, with what to do", () => {
    const other = { [ownerLabel]: "dev-istio-0123456789ab", [directoryLabel]: "/theirs/.meshup/stacks/dev-istio" };
    const found = conflicts({ ...args, network: "kind" }, [
      container({ name: "meshup-dev-control-plane" }),
      container({ name: "meshup-dev-registry", running: false }),
      container({
        name: "meshup-dev-istio-control-plane",
        mounts: { "/etc/meshup/dev-istio-0123456789ab/g": "/x" },
        ports: [30000],
      }),
      container({ name: "their-registry", labels: other, ports: [5009], aliases: { kind: ["registry.localhost"] } }),
      container({ name: "web", ports: [5001] }),
      container({ name: "unrelated", ports: [8080], aliases: { bridge: ["registry.localhost"] } }),
    ]);
    expect(found).toEqual([
      expect.stringMatching(
        /kind cluster meshup-dev that this stack did not make .*kind delete cluster --name meshup-dev/,
      ),
      expect.stringMatching(/container meshup-dev-registry has the name of this stack's registry/),
      expect.stringMatching(
        /port 30000 is in use by .*meshup's stack dev-istio: `npm run destroy -- dev-istio`.*gatewayPort/,
      ),
      expect.stringMatching(
        /their-registry, of meshup's stack dev-istio answers to registry.localhost.*in \/theirs first.*meshup:kind.registryHost/,
      ),
      expect.stringMatching(/port 5001 is in use by the container web: `docker stop web`.*meshup:kind.registryPort/),
    ]);
  });
});

it.each([
  ["kind v0.33.0 go1.26.8 linux/amd64", undefined],
  ["0.27.0", undefined],
  ["1.0.0", undefined],
  ["0.26.1", /kind 0.26.1 is too old, 0.27.0 or newer/],
  ["", /printed no version: nothing/],
])("kind %j", (version, problem) => {
  if (problem === undefined) expect(kindProblem(version)).toBeUndefined();
  else expect(kindProblem(version)).toMatch(problem);
});

/** A machine whose docker and kind are scripts. */
async function machine(
  docker: string[],
  kind = ["echo 0.33.0"],
  ports: Partial<MachineArgs> = {},
  { host = "", context = "unix:///d.sock" } = {},
) {
  const bin = scratch();
  script(join(bin, "docker"), `case "$*" in "context inspect"*) echo ${context}; exit;; esac`, ...docker);
  script(join(bin, "kind"), ...kind);
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  vi.stubEnv("DOCKER_HOST", host);
  onTestFinished(() => void vi.unstubAllEnvs());
  return inspectMachine({ ...args, gatewayPort: await freePort(), registryPort: await freePort(), ...ports });
}
const nothing = 'case "$1" in ps) exit;; esac; echo "[]"; echo "Error: No such container: x" >&2; exit 1';
const inspected = (parts: object) => ({
  ...{ Id: "1", State: { Running: true }, Config: { Labels: {} }, Mounts: [] },
  ...{ NetworkSettings: { Ports: {}, Networks: {} } },
  ...parts,
});
const publishing = (port: number, network = "kind", aliases = [args.registryHost]) => ({
  NetworkSettings: { Ports: { p: [{ HostPort: `${port}` }] }, Networks: { [network]: { Aliases: aliases } } },
});
/** The stack's two containers, as `docker container inspect` has them. */
const stack = (gatewayPort: number, registryPort: number, node: object = {}, registry: object = {}) =>
  JSON.stringify([
    inspected({
      Name: `/${nodeName(args.cluster)}`,
      Mounts: mountsOf(gatewayPort),
      ...publishing(gatewayPort),
      ...node,
    }),
    inspected({ Name: `/${args.registry}`, Config: { Labels: ownLabels }, ...publishing(registryPort), ...registry }),
  ]);

describe("this machine", () => {
  it("with nothing on it: no cluster, and a registry that is to be made", async () => {
    const { dockerHost, cluster, registry } = await machine([nothing]);
    expect(dockerHost).toBe("unix:///d.sock");
    expect(cluster).toBeUndefined();
    expect(registry).toMatch(/^[0-9a-f]{8}$/);
    expect((await machine([nothing])).registry).not.toBe(registry);
  });

  it("with the stack on it: its generations, and no complaint about the ports that it holds itself", async () => {
    const [gatewayPort, registryPort] = [await freePort(), await freePort()];
    const holders = [gatewayPort, registryPort].map((port) => createServer().listen(port, "127.0.0.1"));
    onTestFinished(() => holders.forEach((holder) => void holder.close()));
    expect(
      await machine([`echo '${stack(gatewayPort, registryPort)}'`], undefined, { gatewayPort, registryPort }),
    ).toMatchObject({
      cluster: generation(gatewayPort),
      registry: "g2",
    });
  });

  it("with the stack stopped: the cluster is the same, the registry is made anew", async () => {
    const gatewayPort = await freePort();
    const stopped = { State: { Running: false } };
    const json = JSON.stringify([
      inspected({ Name: `/${nodeName(args.cluster)}`, Mounts: mountsOf(gatewayPort), ...stopped }),
      inspected({ Name: `/${args.registry}`, Config: { Labels: ownLabels }, ...stopped }),
    ]);
    const found = await machine([`case "$1" in ps) echo 1;; *) echo '${json}';; esac`], undefined, { gatewayPort });
    expect(found.cluster).toBe(generation(gatewayPort));
    expect(found.registry).not.toBe("g2");
  });

  it("with a cluster of its own from other settings: it is not replaced behind anybody's back", async () => {
    const gatewayPort = await freePort();
    const Labels = { "io.x-k8s.kind.cluster": args.cluster };
    const node = { Name: `/${nodeName(args.cluster)}`, Config: { Labels }, Mounts: mountsOf(gatewayPort) };
    const docker = [`case "$1" in ps) echo 1;; *) echo '${JSON.stringify([inspected(node)])}';; esac`];
    const same = await machine(docker, undefined, { gatewayPort });
    expect(same.cluster).toBe(generation(gatewayPort));
    const other =
      /^this stack's kind cluster meshup-dev was made with another .*`kind delete cluster --name meshup-dev`/;
    await expect(machine(docker, undefined, { gatewayPort, nodeImage: "other" })).rejects.toThrow(other);
    await expect(machine(docker)).rejects.toThrow(other);
    await expect(machine(docker, undefined, { gatewayPort, cluster: "renamed" })).rejects.toThrow(
      /another meshup:kind.name/,
    );
  });

  it.each([
    ["paused", { State: { Running: true, Paused: true } }],
    ["taken off the node's network", { NetworkSettings: { Ports: {}, Networks: { bridge: { Aliases: [] } } } }],
    ["without its name there", { NetworkSettings: { Ports: {}, Networks: { kind: { Aliases: [] } } } }],
  ])("with a registry that was %s: it is made anew", async (_what, registry) => {
    const [gatewayPort, registryPort] = [await freePort(), await freePort()];
    const json = stack(gatewayPort, registryPort, {}, registry);
    const docker = [`case "$1" in ps) echo 1;; *) echo '${json}';; esac`];
    const found = await machine(docker, undefined, { gatewayPort, registryPort });
    expect(found.cluster).toBe(generation(gatewayPort));
    expect(found.registry).not.toBe("g2");
  });

  describe("with KIND_EXPERIMENTAL_DOCKER_NETWORK", () => {
    it("puts what is new on that network", async () => {
      vi.stubEnv("KIND_EXPERIMENTAL_DOCKER_NETWORK", "other");
      expect(await machine([nothing])).toMatchObject({ network: "other" });
    });

    it("leaves a cluster where it is, and its registry with it", async () => {
      const [gatewayPort, registryPort] = [await freePort(), await freePort()];
      const docker = [`echo '${stack(gatewayPort, registryPort)}'`];
      vi.stubEnv("KIND_EXPERIMENTAL_DOCKER_NETWORK", "other");
      const found = await machine(docker, undefined, { gatewayPort, registryPort });
      expect(found).toMatchObject({ network: "kind", registry: "g2" });
    });

    it.each(["bridge", "host", "none"])("%s is refused by name", async (network) => {
      vi.stubEnv("KIND_EXPERIMENTAL_DOCKER_NETWORK", network);
      await expect(machine([nothing])).rejects.toThrow(`KIND_EXPERIMENTAL_DOCKER_NETWORK=${network}: `);
    });
  });

  it.each(["podman", "nerdctl", "finch"])("with KIND_EXPERIMENTAL_PROVIDER=%s: refused by name", async (provider) => {
    vi.stubEnv("KIND_EXPERIMENTAL_PROVIDER", provider);
    await expect(machine([nothing])).rejects.toThrow(`KIND_EXPERIMENTAL_PROVIDER=${provider}: `);
  });

  it("with KIND_EXPERIMENTAL_PROVIDER=docker, as it is without", async () => {
    vi.stubEnv("KIND_EXPERIMENTAL_PROVIDER", "docker");
    expect(await machine([nothing])).toMatchObject({ network: "kind" });
  });

  it.each(["ssh://me@server", "tcp://10.0.0.7:2375", "tcp://docker:2375"])(
    "with an engine on another machine (%s): refused by name",
    async (host) => {
      const there = () => machine([nothing], undefined, {}, { context: host });
      await expect(there()).rejects.toThrow(`the Docker engine at ${host} is on another machine (the context that`);
      vi.stubEnv("DOCKER_CONTEXT", "far");
      await expect(there()).rejects.toThrow(/is on another machine \(DOCKER_CONTEXT=far leads/);
      await expect(machine([nothing], undefined, {}, { host })).rejects.toThrow(
        /is on another machine \(DOCKER_HOST leads/,
      );
    },
  );

  it.each(["unix:///run/user/1000/docker.sock", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"])(
    "with an engine of this machine's (%s)",
    async (host) => expect((await machine([nothing], undefined, {}, { host })).dockerHost).toBe(host),
  );

  it("without Docker running and with an old kind: both at once, and Docker once", async () => {
    const refused = [
      'echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2',
      "exit 1",
    ];
    await expect(machine(refused, ["echo 0.20.0"])).rejects.toThrow(
      /^(Docker is not running: [^\n]*\nkind 0\.20\.0 is too old[^\n]*|kind 0\.20\.0[^\n]*\nDocker is not running: [^\n]*)$/,
    );
  });

  it("without either", async () => {
    vi.stubEnv("PATH", scratch());
    onTestFinished(() => void vi.unstubAllEnvs());
    const error = await inspectMachine(args).catch(String);
    expect(error).toMatch(/kind is not on PATH/);
    expect(error).toMatch(/docker is not on PATH/);
  });

  it("with a process on a port: which, and the key that chooses another", async () => {
    const gatewayPort = await freePort();
    const holder = createServer().listen(gatewayPort, "127.0.0.1");
    onTestFinished(() => void holder.close());
    await expect(machine([nothing], undefined, { gatewayPort })).rejects.toThrow(
      new RegExp(`^port ${gatewayPort} is in use by .*pid ${process.pid}.*meshup:kind.gatewayPort$`),
    );
  });
});
