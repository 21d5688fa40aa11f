import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeApi } from "../../kube/api.ts";
import type { ExecResult } from "../../lib/exec.ts";
import { ScratchClone } from "../local/scratch-clone.ts";
import { Traffic } from "../local/traffic.ts";
import { type Behaviour, compileModule } from "../modules.ts";
import { declareCases, expectCasesToHold } from "./cases-through-gateway.ts";
import { clusterByHand, destroysWhatHasGone, StateOfBefore } from "./cluster-by-hand.ts";
import { containers, DevStack, type Outputs } from "./dev-stack.ts";
import { envoyGatewayByHand, mendsWhatIsDoneByHand, workloadsByHand } from "./drift.ts";
import { faultsOfDelivery } from "./faults.ts";
import { containersOf, removeLeftovers } from "./leftovers.ts";
import { ownWorkloads } from "./own-workloads.ts";
import { missingTools } from "./plugins.ts";

const missing = await missingTools();
if (missing.length > 0) console.warn(`skipped, as there is not: ${missing.join(", ")}`);

// A name of its own for the registry: another stack may be up beside it.
const kind = { name: "meshup-e2e", gatewayPort: 30080, registryPort: 5081, registryHost: "e2e.localhost" };
const atRest = "service=default/echo, current-load=1, target-load=1, max-load=2";

/** One cluster, in the order of a newcomer's first hour. */
describe.skipIf(missing.length > 0)("the stack dev", () => {
  let stack: DevStack;
  let clone: ScratchClone;
  let api: KubeApi;
  let containersBefore: string[];
  let killed: string;
  let first: ExecResult;
  let stillThere: StateOfBefore;

  beforeAll(async () => {
    await removeLeftovers(kind.name);
    containersBefore = await containers();
    stack = await DevStack.make(kind);
    clone = stack.clone;
    killed = await stack.startAndKill(/created Command kind/);
    // What leads kubectl and kind elsewhere leads nothing of the stack there.
    first = await stack.start({ KUBECONFIG: "/nowhere/a:/nowhere/b", KIND_CLUSTER_NAME: "another" });
    if (first.code !== 0) throw new Error(`the stack does not come up:\n${first.stdout}${first.stderr}`);
    api = await stack.api();
  });

  afterAll(() => clone?.remove());

  const start = (env?: NodeJS.ProcessEnv) => stack.start(env);
  const up = (env?: NodeJS.ProcessEnv) => stack.up(env);
  const restore = () => stack.restore();
  const declare = (filter: Record<string, unknown>) => stack.declare(filter);
  const feedback = () => header("/echo", "x-load-feedback");
  const header = (path: string, name: string, headers?: Record<string, string>) => stack.header(path, name, headers);

  describe("npm start -- dev", () => {
    it("killed once the cluster was made, and run again, goes on from there", () => {
      expect(killed).not.toMatch(/created Proof/);
      expect(first.stderr).not.toMatch(/(created|replaced|updated) Command kind/);
    });

    it("goes to each filter's header on a real response", () => {
      const { stdout } = first;
      const at = `http://localhost:${kind.gatewayPort}`;
      expect(stdout).toContain(`GET ${at}/one → 200  x-custom-header: custom-value`);
      expect(stdout).toContain(`GET ${at}/headers → 200  header_1: first_header  header_2: second_header`);
      expect(stdout).toContain(`GET ${at}/echo → 200  x-wasm-custom: FOO`);
      expect(stdout).toContain(`GET ${at}/echo → 200  x-load-feedback: ${atRest}`);
    });

    it("serves the local stack's routes, each with its own headers and no other's", async () => {
      const ours = ["x-custom-header", "header_1", "header_2", "x-wasm-custom", "x-load-feedback"];
      const seen = async (path: string) => {
        const { headers } = await clone.get(path);
        return Object.fromEntries(ours.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
      };
      expect(await seen("/one")).toEqual({ "x-custom-header": "custom-value" });
      expect(await seen("/two")).toEqual({});
      expect(await seen("/headers")).toEqual({ header_1: "first_header", header_2: "second_header" });
      expect(await seen("/echo")).toEqual({ "x-wasm-custom": "FOO", "x-load-feedback": atRest });
      expect(JSON.parse((await clone.get("/echo/some/where")).body)).toMatchObject({ path: "/some/where" });
    });

    it("serves www.example.com/get for that host alone", async () => {
      const { status, headers } = await clone.get("/get", { host: "www.example.com" });
      expect({ status, "x-wasm-custom": headers["x-wasm-custom"] }).toEqual({ status: 200, "x-wasm-custom": "FOO" });
      expect((await clone.get("/get")).status).toBe(404);
    });

    it("keeps the clone's own files as they were", async () => {
      expect(await clone.read("Pulumi.dev.yaml")).toBe(stack.stackFile);
    });

    it("again says that nothing has changed", async () => {
      expect((await start()).stdout).toMatch(/Nothing to change/);
    });
  });

  it("verify proves the headers, and that the proxy has the modules that were built", async () => {
    const { ok, modules } = await clone.json<{ ok: boolean; modules: { running: boolean }[] }>(["verify", "dev"]);
    expect(ok).toBe(true);
    expect(modules.map((m) => m.running)).toEqual([true, true, true, true, true]);
  });

  it("doctor finds nothing wrong", async () => {
    const { code, stdout } = await clone.run(["doctor", "dev"]);
    expect(code, stdout).toBe(0);
  });

  it("status counts the pods of workloads, gateway and control plane", async () => {
    const { code, stdout } = await clone.run(["status", "dev"]);
    expect(code, stdout).toBe(0);
    for (const part of ["httpbin", "httpbin-two", "echo", "bursting-metrics", "client", "gateway", "envoy-gateway"])
      expect(stdout).toMatch(new RegExp(`^ +${part} +1/1 ready$`, "m"));
  });

  it("logs have the filter's own lines, the control plane's and a workload's", async () => {
    const logs = async (...args: string[]) => (await clone.run(["logs", "dev", ...args, "--lines", "2000"])).stdout;
    expect(await logs("gateway")).toMatch(/wasm log .*add_header_root: 1 header/);
    expect(await logs("envoy-gateway")).toMatch(/wasm-cache/);
    expect(await logs("bursting-metrics")).not.toBe("");
  });

  it("config-dump shows one filter, or the gateway's all", async () => {
    const { code, stdout, stderr } = await clone.run(["config-dump", "dev", "two-headers"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("second_header");
    expect(stdout).not.toContain("custom-value");
    expect((await clone.run(["config-dump", "dev", "gateway"])).stdout).toContain("custom-value");
    const wrong = await clone.run(["config-dump", "dev", "nobody"]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/nobody[\s\S]*custom-header[\s\S]*gateway/);
  });

  it("load on echo makes the HPA scale it, and the header follows", async () => {
    const hpa = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/echo";
    const utilization = async () => {
      const found = await api.get<{
        status: { currentMetrics?: { resource?: { current: { averageUtilization?: number } } }[] };
      }>(hpa);
      return found?.status.currentMetrics?.[0]?.resource?.current.averageUtilization;
    };
    await expect.poll(utilization, { timeout: 120_000, interval: 1000 }).toEqual(expect.any(Number));
    await stack.underLoad(async () => {
      await expect.poll(feedback, { timeout: 120_000, interval: 500 }).toMatch(/current-load=2, target-load=2/);
    });
  });

  it("the filter's cases hold through the gateway", async () => {
    await declareCases(clone);
    await up();
    await expectCasesToHold(clone);
    await restore();
  });

  describe("a changed filter", () => {
    it("is rolled out by the next start, and no request is lost", async () => {
      const before = (await clone.json<{ outputs: Outputs }>(["verify", "dev"])).outputs;
      const source = await clone.read("filter/assembly/add-header.ts");
      await clone.edit("filter/assembly/add-header.ts", (text) => text.replace('# header")', 'now # header")'));
      const traffic = new Traffic(`http://localhost:${kind.gatewayPort}/one`);
      const { outputs, proofs } = await up();
      const { failures, answers } = await traffic.stop();
      await clone.write("filter/assembly/add-header.ts", source);
      expect(failures).toEqual([]);
      expect(answers).toBeGreaterThan(0);
      expect(outputs.filters[0]?.digest).not.toBe(before.filters[0]?.digest);
      expect(proofs.every((p) => p.ok)).toBe(true);
      const { modules } = await clone.json<{ modules: { running: boolean }[] }>(["verify", "dev"]);
      expect(modules.every((m) => m.running)).toBe(true);
    });
  });

  describe("scopes and sources", () => {
    afterAll(async () => {
      await restore();
      await up();
    });

    it("a filter for the gateway works on every route, beside the routes' own", async () => {
      await declare({
        name: "everywhere",
        module: "./filter",
        root: "add_header_root",
        config: { "x-all": "yes" },
        target: { gateway: true },
      });
      await up();
      for (const path of ["/one", "/two", "/headers", "/echo"]) expect(await header(path, "x-all")).toBe("yes");
      expect(await header("/one", "x-custom-header")).toBe("custom-value");
      await restore();
    });

    it("a module comes by HTTP with its sha256, from the stack itself", async () => {
      await declare({
        name: "by-http",
        module: "./filter",
        root: "add_header_root",
        config: { "x-http": "yes" },
        target: { route: "two" },
        delivery: "http",
      });
      const { outputs } = await up();
      expect(await header("/two", "x-http")).toBe("yes");
      expect(outputs.filters.find((f) => f.name === "by-http")?.delivery).toBe("http");
      await restore();
    });

    it("a Lua script is a filter, too, and a changed one is live with the next start", async () => {
      const script = (value: string) =>
        `function envoy_on_response(handle)\n  handle:headers():add("x-lua", "${value}")\nend\n`;
      await clone.write("hello.lua", script("one"));
      await declare({ name: "by-lua", script: "./hello.lua", target: { route: "two" }, expect: { "x-lua": "/.+/" } });
      await up();
      expect(await header("/two", "x-lua")).toBe("one");
      await clone.write("hello.lua", script("two"));
      await up();
      await expect.poll(() => header("/two", "x-lua")).toBe("two");
      await restore();
    });

    it("remove takes one filter's policy alone", async () => {
      const { code, stdout, stderr } = await clone.run(["remove", "dev", "two-headers"]);
      expect(code, stdout + stderr).toBe(0);
      expect(await header("/headers", "header_1")).toBeUndefined();
      expect(await header("/one", "x-custom-header")).toBe("custom-value");
      await restore();
    });
  });

  it("without load echo is one again, and the header follows", async () => {
    await expect.poll(feedback, { timeout: 180_000, interval: 500 }).toBe(atRest);
  });

  it("push puts a changed filter's image into the registry, and changes nothing in the cluster", async () => {
    const source = await clone.read("filter/assembly/add-header.ts");
    const { image } = (await clone.json<{ outputs: Outputs }>(["verify", "dev"])).outputs.filters[0] ?? {};
    await clone.edit("filter/assembly/add-header.ts", (text) => text.replace('# header")', 'pushed # header")'));
    const { images } = await clone.json<{ images: string[] }>(["push", "dev"]);
    await clone.write("filter/assembly/add-header.ts", source);
    const digest = (reference = "") => reference.split("@")[1];
    expect(images).toHaveLength(1);
    expect(digest(images[0])).toMatch(/^sha256:/);
    expect(digest(images[0])).not.toBe(digest(image));
    const dump = await clone.run(["config-dump", "dev", "custom-header"]);
    expect(dump.code).toBe(0);
    expect(await header("/one", "x-custom-header")).toBe("custom-value");
  });

  faultsOfDelivery(() => stack);

  describe("a module that traps", () => {
    const trap: Behaviour = { value: "no", onResponse: "unreachable();" };
    afterAll(async () => {
      await restore();
      await up();
    });

    it("never reaches the cluster: the host in Node stops it, with the reason", async () => {
      const { file } = await compileModule(join(clone.folder, "build"), trap);
      await declare({ name: "bad", module: file, target: { route: "two" } });
      const { code, stdout, stderr } = await start();
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/bad[\s\S]*unreachable/);
      expect((await clone.get("/two")).status).toBe(200);
      await restore();
    });

    it("past the check is found out on a route that nobody uses, and live routes go on", async () => {
      const { file } = await compileModule(join(clone.folder, "build"), trap);
      await declare({
        name: "bad",
        module: file,
        target: { route: "two" },
        failure: "close",
        expect: { "x-test": "no" },
      });
      const { code, stdout, stderr } = await start({ MESHUP_PREFLIGHT: "off" });
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/filter "bad" did not prove itself[\s\S]*503/);
      expect((await clone.get("/two")).status).toBe(200);
      await restore();
    });

    it.each([
      ["open", 200],
      ["close", 503],
    ])("later, with failure: %s, is answered %d", async (failure, status) => {
      const late: Behaviour = {
        value: "yes",
        declare: "let seen: i32 = 0;",
        onResponse: "if (++seen > 60) unreachable();",
      };
      const { file } = await compileModule(join(clone.folder, "build"), late);
      await declare({ name: `late-${failure}`, module: file, target: { route: "two" }, failure });
      await up();
      const trapped = async () => {
        const { status, headers } = await clone.get("/two");
        return headers["x-test"] === undefined && status;
      };
      await expect.poll(trapped, { timeout: 60_000, interval: 5 }).toBe(status);
      expect(await header("/one", "x-custom-header")).toBe("custom-value");
      await restore();
    });
  });

  it("Envoy Gateway restarted under load loses no request", async () => {
    const traffic = new Traffic(`http://localhost:${kind.gatewayPort}/one`);
    const path = "/apis/apps/v1/namespaces/envoy-gateway-system/deployments/envoy-gateway";
    const restartedAt = new Date().toISOString();
    await api.patch(path, {
      spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": restartedAt } } } },
    });
    const ready = async () => {
      const found = await api.get<{
        metadata: { generation: number };
        status: { observedGeneration: number; updatedReplicas?: number; readyReplicas?: number; replicas?: number };
      }>(path);
      const { observedGeneration, updatedReplicas, readyReplicas, replicas } = found?.status ?? {
        observedGeneration: 0,
      };
      return (
        observedGeneration === found?.metadata.generation &&
        updatedReplicas === 1 &&
        readyReplicas === 1 &&
        replicas === 1
      );
    };
    await expect.poll(ready, { timeout: 120_000, interval: 500 }).toBe(true);
    expect((await traffic.stop()).failures).toEqual([]);
    await expect.poll(() => header("/one", "x-custom-header"), { timeout: 60_000 }).toBe("custom-value");
  });

  ownWorkloads(() => stack);
  mendsWhatIsDoneByHand(() => stack, [...workloadsByHand, ...envoyGatewayByHand]);

  clusterByHand(() => stack);

  it("a cluster that somebody else has made under its name is refused, not deleted", async () => {
    const other = await ScratchClone.inKind("dev", {
      ...kind,
      gatewayPort: kind.gatewayPort + 1,
      registryPort: kind.registryPort + 1,
    });
    const { code, stdout, stderr } = await other.run(["start", "dev"]);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/meshup-e2e/);
    expect((await other.run(["destroy", "dev"])).code).toBe(0);
    await other.remove();
    expect((await clone.get("/one")).status).toBe(200);
  });

  it("destroy takes cluster and registry, and touches nothing else", async () => {
    stillThere = await StateOfBefore.keep(clone);
    const { code, stdout, stderr } = await clone.run(["destroy", "dev"]);
    expect(code, stdout + stderr).toBe(0);
    const left = await containers();
    for (const name of containersOf(kind.name)) expect(left).not.toContain(name);
    // Other stacks may come and go meanwhile.
    expect(left).toEqual(expect.arrayContaining(containersBefore.filter((name) => !name.startsWith("meshup-"))));
    expect(existsSync(join(clone.folder, ".meshup/stacks"))).toBe(false);
    await expect(clone.get("/one")).rejects.toThrow(/ECONNREFUSED/);
  });

  destroysWhatHasGone(
    () => stack,
    () => stillThere,
  );
});
