import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeName } from "../../components/cluster/kind/config.ts";
import { isReady, type Pod } from "../../kube/pods.ts";
import { type ExecResult, exec } from "../../lib/exec.ts";
import { ScratchClone } from "../local/scratch-clone.ts";
import { declareCases, expectCasesToHold } from "./cases-through-gateway.ts";
import { containers, DevStack } from "./dev-stack.ts";
import { istioByHand, mendsWhatIsDoneByHand, workloadsByHand } from "./drift.ts";
import { gatewayOfTheGatewayApi } from "./gateway-api.ts";
import { deliveriesOnIstio } from "./istio-deliveries.ts";
import { faultsOnIstio } from "./istio-faults.ts";
import { removeLeftovers } from "./leftovers.ts";
import { ownWorkloads } from "./own-workloads.ts";
import { missingTools } from "./plugins.ts";

const missing = await missingTools();
if (missing.length > 0) console.warn(`skipped, as there is not: ${missing.join(", ")}`);

const kind = { name: "meshup-e2e-istio", gatewayPort: 30081, registryPort: 5082, registryHost: "istio.localhost" };
const atRest = "service=default/echo, current-load=1, target-load=1, max-load=2";

/** One cluster with Istio, in the order of a newcomer's first hour. */
describe.skipIf(missing.length > 0)("the stack dev-istio", () => {
  let stack: DevStack;
  let clone: ScratchClone;
  let containersBefore: string[];
  let first: ExecResult;

  beforeAll(async () => {
    await removeLeftovers(kind.name);
    containersBefore = await containers();
    stack = await DevStack.make(kind, "dev-istio");
    clone = stack.clone;
    first = await stack.start();
    if (first.code !== 0) throw new Error(`the stack does not come up:\n${first.stdout}${first.stderr}`);
  });

  afterAll(() => clone?.remove());

  const feedback = () => stack.header("/echo", "x-load-feedback");
  const replicas = async () =>
    (await stack.kubectl("get", "deploy/echo", "-o", "jsonpath={.status.readyReplicas}")).stdout.trim();
  /** What the client pod gets from a workload, inside the mesh. */
  const fromInside = async (address: string) => {
    const curl = ["curl", "--silent", "--head", "--max-time", "5", address];
    return (await stack.kubectl("exec", "deploy/client", "-c", "client", "--", ...curl)).stdout.toLowerCase();
  };

  describe("npm start -- dev-istio", () => {
    it("goes from nothing to each filter's header on a real response", () => {
      const { stdout } = first;
      const at = `http://localhost:${kind.gatewayPort}`;
      expect(stdout).toContain(`GET ${at}/one → 200  x-custom-header: custom-value`);
      expect(stdout).toContain(`GET ${at}/one → 200  header_1: first_header  header_2: second_header`);
      expect(stdout).toContain(`GET ${at}/echo → 200  x-wasm-custom: FOO`);
      expect(stdout).toContain(`GET ${at}/echo → 200  x-load-feedback: ${atRest}`);
    });

    it("serves the local stack's routes, each with its workload's headers and no other's", async () => {
      const ours = ["x-custom-header", "header_1", "header_2", "x-wasm-custom", "x-load-feedback"];
      const seen = async (path: string, headers?: Record<string, string>) => {
        const response = await clone.get(path, headers);
        const all = ours.flatMap((name) =>
          response.headers[name] === undefined ? [] : [[name, response.headers[name]]],
        );
        return { status: response.status, ...Object.fromEntries(all) };
      };
      const ofHttpbin = { "x-custom-header": "custom-value", header_1: "first_header", header_2: "second_header" };
      expect(await seen("/one")).toEqual({ status: 200, ...ofHttpbin });
      expect(await seen("/headers")).toEqual({ status: 200, ...ofHttpbin });
      expect(await seen("/two")).toEqual({ status: 200 });
      expect(await seen("/echo")).toEqual({ status: 200, "x-wasm-custom": "FOO", "x-load-feedback": atRest });
      expect(await seen("/get", { host: "www.example.com" })).toEqual({ status: 200, "x-wasm-custom": "FOO" });
      expect(await seen("/get")).toEqual({ status: 404 });
      expect(JSON.parse((await clone.get("/echo/some/where")).body)).toMatchObject({ path: "/some/where" });
    });

    it("gives every workload's pod a sidecar", async () => {
      for (const app of ["httpbin", "httpbin-two", "echo", "bursting-metrics", "client"]) {
        const [pod] = await stack.podsFor(app);
        const { containers = [], initContainers = [] } = pod?.spec ?? {};
        expect([...containers, ...initContainers].map(({ name }) => name)).toContain("istio-proxy");
        expect(isReady(pod as Pod)).toBe(true);
      }
    });

    it("again says that nothing has changed", async () => {
      expect((await stack.start()).stdout).toMatch(/Nothing to change/);
    });
  });

  it("the headers are there inside the mesh too, on httpbin and not on echo", async () => {
    const httpbin = await fromInside("httpbin:8000/get");
    expect(httpbin).toContain("header_1: first_header");
    expect(httpbin).toContain("header_2: second_header");
    const echo = await fromInside("echo:8000/");
    expect(echo).toContain("x-load-feedback: service=default/echo");
    expect(echo).not.toContain("header_1");
  });

  it("verify proves the headers, and that every proxy has the modules that were built", async () => {
    const { ok, modules } = await clone.json<{ ok: boolean; modules: { running: boolean }[] }>(["verify", "dev-istio"]);
    expect(ok).toBe(true);
    expect(modules.map((m) => m.running)).toEqual([true, true, true, true, true]);
  });

  it("doctor finds nothing wrong", async () => {
    const { code, stdout } = await clone.run(["doctor", "dev-istio"]);
    expect(code, stdout).toBe(0);
    for (const step of ["istiod", "injection", "gateway"]) expect(stdout).toMatch(new RegExp(`ok +${step} `));
  });

  it("logs have the filter's own lines, and config-dump its part of one workload's proxy", async () => {
    const sidecar = await stack.kubectl("logs", "deploy/httpbin", "-c", "istio-proxy", "--tail=2000");
    expect(sidecar.stdout).toMatch(/add_header_root: 1 header/);
    const logs = await clone.run(["logs", "dev-istio", "gateway", "--lines", "2000"]);
    expect(logs.stdout).toMatch(/add_header_root: 1 header/);
    const dump = await clone.run(["config-dump", "dev-istio", "echo"]);
    expect(dump.stdout).toMatch(/load-feedback[\s\S]*load_feedback_root/);
    expect(dump.stdout).not.toContain("custom-value");
  });

  it("load on echo makes the HPA scale it, and the header follows", () =>
    stack.underLoad(async () => {
      await expect.poll(feedback, { timeout: 180_000, interval: 500 }).toMatch(/current-load=2, target-load=2/);
      await expect.poll(replicas, { timeout: 120_000, interval: 1000 }).toBe("2");
    }));

  it("one declaration and its cases hold on Istio and on this machine's Envoy, as on Envoy Gateway", async () => {
    await declareCases(clone);
    await stack.up();
    await expectCasesToHold(clone);
    await stack.restore();

    const local = await ScratchClone.create();
    try {
      await declareCases(local);
      await local.json(["start"]);
      await expectCasesToHold(local);
    } finally {
      await local.remove();
    }
  });

  it("bursting-metrics down means no header, and up again the header", async () => {
    await stack.kubectl("scale", "deploy/bursting-metrics", "--replicas=0");
    await expect.poll(feedback, { timeout: 60_000, interval: 200 }).toBeUndefined();
    expect((await clone.get("/echo")).status).toBe(200);
    await stack.kubectl("scale", "deploy/bursting-metrics", "--replicas=1");
    await expect.poll(feedback, { timeout: 120_000, interval: 500 }).toBe(atRest);
  });

  it("without load echo is one again, and the header follows", async () => {
    await expect.poll(feedback, { timeout: 180_000, interval: 500 }).toBe(atRest);
    await expect.poll(replicas, { timeout: 60_000, interval: 500 }).toBe("1");
  });

  mendsWhatIsDoneByHand(() => stack, [...workloadsByHand, ...istioByHand]);
  describe("filters", () => {
    deliveriesOnIstio(() => stack);
    faultsOnIstio(() => stack);
  });
  ownWorkloads(() => stack);
  gatewayOfTheGatewayApi(() => stack);

  it("destroy takes cluster and registry, also of a cluster whose node somebody has removed, and touches nothing else", async () => {
    await exec("docker", ["rm", "--force", "--volumes", nodeName(kind.name)]);
    const { code, stdout, stderr } = await clone.run(["destroy", "dev-istio"]);
    expect(code, stdout + stderr).toBe(0);
    expect(await containers()).toEqual(containersBefore);
    expect(existsSync(join(clone.folder, ".meshup/stacks"))).toBe(false);
    await expect(clone.get("/one")).rejects.toThrow(/ECONNREFUSED/);
  });
});
