/** What somebody does to a stack by hand, and the next start mends. */
import { beforeAll, describe, expect, it } from "vitest";
import { nodeName } from "../../components/cluster/kind/config.ts";
import { exec } from "../../lib/exec.ts";
import type { DevStack } from "./dev-stack.ts";

/** One thing that is done by hand. */
export interface ByHand {
  /** kubectl's arguments. */
  kubectl: string[];
  /** What start says of it. */
  said: RegExp;
}

const patch = (kind: string, name: string, change: object, ...more: string[]) => [
  ...["patch", kind, name, "--type=merge", "-p", JSON.stringify(change), ...more],
];
/** `--wait=false`: what waits for finalizers is waited for by the start. */
const remove = (...what: string[]) => ["delete", "--wait=false", ...what];

/** Of the workloads, whatever the mesh. */
export const workloadsByHand: ByHand[] = [
  { kubectl: remove("deployment", "httpbin-two"), said: /Deployment default\/httpbin-two is gone/ },
  { kubectl: remove("service", "echo"), said: /Service default\/echo is gone/ },
  { kubectl: remove("hpa", "echo"), said: /HorizontalPodAutoscaler default\/echo is gone/ },
  { kubectl: remove("rolebinding", "bursting-metrics"), said: /RoleBinding default\/bursting-metrics is gone/ },
  {
    kubectl: remove("configmap", "-l", "app=bursting-metrics"),
    said: /ConfigMap default\/bursting-metrics-\S+ is gone/,
  },
  {
    kubectl: patch("service", "httpbin", { spec: { selector: { app: "nobody" } } }),
    said: /Service default\/httpbin has been changed by hand: spec\.selector/,
  },
  {
    kubectl: ["scale", "deployment", "bursting-metrics", "--replicas=0"],
    said: /Deployment default\/bursting-metrics has been changed by hand: spec\.replicas/,
  },
  {
    kubectl: remove("-n", "kube-system", "deployment", "metrics-server"),
    said: /Deployment kube-system\/metrics-server is gone/,
  },
];

/** Of Envoy Gateway's. */
export const envoyGatewayByHand: ByHand[] = [
  { kubectl: remove("envoyextensionpolicy", "route-one"), said: /EnvoyExtensionPolicy default\/route-one is gone/ },
  {
    kubectl: patch("envoyextensionpolicy", "route-headers", { spec: { wasm: [] } }),
    said: /EnvoyExtensionPolicy default\/route-headers has been changed by hand: spec\.wasm/,
  },
  { kubectl: remove("httproute", "two"), said: /HTTPRoute default\/two is gone/ },
  {
    kubectl: patch("httproute", "echo", { spec: { hostnames: ["nobody.example.com"] } }),
    said: /HTTPRoute default\/echo has been changed by hand: spec\.hostnames/,
  },
  {
    kubectl: remove("-n", "envoy-gateway-system", "deployment", "envoy-gateway"),
    said: /Deployment envoy-gateway-system\/envoy-gateway is gone/,
  },
  {
    kubectl: remove("-n", "envoy-gateway-system", "secret", "envoy-gateway"),
    said: /Secret envoy-gateway-system\/envoy-gateway is gone|Deployment envoy-gateway-system\/envoy-gateway is gone/,
  },
];

/** Of Istio's. */
export const istioByHand: ByHand[] = [
  { kubectl: remove("wasmplugin", "custom-header"), said: /WasmPlugin default\/custom-header is gone/ },
  {
    kubectl: remove("-n", "istio-ingress", "envoyfilter", "wasm-custom.routes"),
    said: /EnvoyFilter istio-ingress\/wasm-custom\.routes is gone/,
  },
  {
    kubectl: patch("wasmplugin", "load-feedback", { spec: { pluginConfig: { cluster: "nobody" } } }),
    said: /WasmPlugin default\/load-feedback has been changed by hand: spec\.pluginConfig/,
  },
  { kubectl: remove("-n", "istio-ingress", "service", "entry"), said: /Service istio-ingress\/entry is gone/ },
  { kubectl: ["label", "namespace", "default", "istio-injection-"], said: /Namespace default .*istio-injection/ },
  { kubectl: remove("-n", "istio-system", "deployment", "istiod"), said: /Deployment istio-system\/istiod is gone/ },
];

/** Tests of a stack that is up, and is up when they end. */
export function mendsWhatIsDoneByHand(stack: () => DevStack, deeds: ByHand[]): void {
  const name = () => stack().clone.stack;
  const npm = (...args: string[]) => stack().clone.run(args);
  const container = (part: "node" | "registry") =>
    part === "node" ? nodeName(stack().cluster.name) : `${stack().cluster.name}-registry`;

  /** @returns all that it printed */
  async function start(): Promise<string> {
    const { code, stdout, stderr } = await stack().start();
    expect(code, stdout + stderr).toBe(0);
    return stderr + stdout;
  }

  /** Doctor finds these broken, at least. What it advises is done, word by word; then nothing is broken any more. */
  async function doctorMends(...broken: RegExp[]): Promise<string> {
    const { code, stdout } = await npm("doctor", name());
    expect(code, stdout).toBe(1);
    for (const step of broken) expect(stdout).toMatch(step);
    let printed = "";
    const advised = stdout.split("\n").flatMap((line) => /to mend it: (.*)$/.exec(line)?.[1] ?? []);
    for (const advice of new Set(advised)) printed += await follow(advice);
    const healthy = async () => (await npm("doctor", name())).stdout.trim().split("\n").at(-1);
    await expect.poll(healthy, { timeout: 180_000, interval: 1000 }).toBe("Nothing is broken.");
    return printed;
  }

  async function follow(advice: string): Promise<string> {
    const command = /`([^`]+)`/.exec(advice)?.[1] ?? advice.replace(/ says? (why|more)$/, "");
    if (command === `npm start -- ${name()}`) return start();
    const [program = "", ...args] = command.split(" ");
    expect(["docker", "npm"]).toContain(program);
    const { code, stdout, stderr } =
      program === "npm" ? await npm(...args.slice(1).filter((arg) => arg !== "--")) : await exec(program, args);
    expect(code, `${command}: ${stderr}`).toBe(0);
    return stdout + stderr;
  }

  describe("done by hand", () => {
    beforeAll(async () => {
      await stack().restore();
      await start();
    });

    it("what is deleted or changed in the cluster is named by doctor, and mended by the start that it advises", async () => {
      for (const { kubectl } of deeds) {
        const { code, stderr } = await stack().kubectl(...kubectl);
        expect(code, `${kubectl.join(" ")}: ${stderr}`).toBe(0);
      }
      const printed = await doctorMends(/BROKEN +objects/);
      for (const { said } of deeds) expect(printed).toMatch(said);
      expect(await start()).toMatch(/Nothing to change/);
    });

    it("a registry that has lost its images is given them again", async () => {
      // A registry may have no shell of its own.
      const shell = ["--rm", "--user", "root", "--volumes-from", container("registry"), "--entrypoint", "sh"];
      const image = "docker.io/curlimages/curl:8.17.0";
      const lost = await exec("docker", ["run", ...shell, image, "-c", "rm -rf /var/lib/registry/docker"]);
      expect(lost.code, lost.stderr).toBe(0);
      await exec("docker", ["restart", container("registry")]);
      expect(await doctorMends(/BROKEN +image of /)).toMatch(/The registry has lost meshup\//);
    });

    it.each([
      ["removed", ["rm", "--force", "--volumes"]],
      ["stopped", ["stop"]],
      ["paused", ["pause"]],
    ])("a registry that was %s answers again, with its images", async (_what, args) => {
      await exec("docker", [...args, container("registry")]);
      await doctorMends(/BROKEN +registry/);
      await exec("docker", [...args, container("registry")]);
      await start(); // without being told
      expect((await npm("doctor", name())).code).toBe(0);
    });

    it("after a restart of the machine a start at once waits for what is coming up, and says for what", async () => {
      await exec("docker", ["restart", "--time", "1", container("node"), container("registry")]);
      expect(await start()).toMatch(/Waiting for what is still coming up: .*the cluster's API server/);
      expect(await start()).toMatch(/Nothing to change/);
    });

    it("a node that was stopped is started", async () => {
      await exec("docker", ["stop", "--time", "1", container("node")]);
      expect(await start()).toMatch(/Starting the cluster's node, which had stopped/);
    });
  });
}
