import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExecResult, exec } from "../../lib/exec.ts";
import type { KubeApi } from "../../provider/kube/api.ts";
import { isReady, type Pod, podsOf } from "../../provider/kube/pods.ts";
import { ScratchClone } from "../local/scratch-clone.ts";
import { Traffic } from "../local/traffic.ts";
import { type Behaviour, compileModule } from "../modules.ts";
import { declareCases, expectCasesToHold } from "./cases-through-gateway.ts";
import { containers, DevStack } from "./dev-stack.ts";
import { removeLeftovers } from "./leftovers.ts";
import { missingTools } from "./plugins.ts";
import { type PrivateRegistry, startPrivateRegistry, useRegistry } from "./private-registry.ts";

const missing = await missingTools();
if (missing.length > 0) console.warn(`skipped, as there is not: ${missing.join(", ")}`);

const kind = { name: "meshup-e2e-istio", gatewayPort: 30081, registryPort: 5082, registryHost: "istio.localhost" };
const node = `${kind.name}-control-plane`;
const atRest = "service=default/echo, current-load=1, target-load=1, max-load=2";

/** One cluster with Istio, in the order of a newcomer's first hour. */
describe.skipIf(missing.length > 0)("the stack dev-istio", () => {
  let stack: DevStack;
  let clone: ScratchClone;
  let api: KubeApi;
  let containersBefore: string[];
  let first: ExecResult;

  beforeAll(async () => {
    await removeLeftovers(kind.name);
    containersBefore = await containers();
    stack = await DevStack.make(kind, "dev-istio");
    clone = stack.clone;
    first = await stack.start();
    if (first.code !== 0) throw new Error(`the stack does not come up:\n${first.stdout}${first.stderr}`);
    api = await stack.api();
  });

  afterAll(() => clone?.remove());

  const start = (env?: NodeJS.ProcessEnv) => stack.start(env);
  const restore = () => stack.restore();
  const up = () => stack.up();
  const header = (path: string, name: string) => stack.header(path, name);
  const podsFor = (app: string) => podsOf(api, "default", { app });
  const kubectl = (...args: string[]) =>
    exec("docker", ["exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", ...args]);
  /** What the client pod gets from a workload, inside the mesh. */
  const fromInside = async (address: string) => {
    const curl = ["curl", "--silent", "--head", "--max-time", "5", address];
    return (await kubectl("exec", "deploy/client", "-c", "client", "--", ...curl)).stdout.toLowerCase();
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
        const [pod] = await podsFor(app);
        const { containers = [], initContainers = [] } = pod?.spec ?? {};
        expect([...containers, ...initContainers].map(({ name }) => name)).toContain("istio-proxy");
        expect(isReady(pod as Pod)).toBe(true);
      }
    });

    it("again says that nothing has changed", async () => {
      expect((await start()).stdout).toMatch(/Nothing to change/);
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
    const sidecar = await kubectl("logs", "deploy/httpbin", "-c", "istio-proxy", "--tail=2000");
    expect(sidecar.stdout).toMatch(/add_header_root: 1 header/);
    const logs = await clone.run(["logs", "dev-istio", "gateway", "--lines", "2000"]);
    expect(logs.stdout).toMatch(/add_header_root: 1 header/);
    const dump = await clone.run(["config-dump", "dev-istio", "echo"]);
    expect(dump.stdout).toMatch(/load-feedback[\s\S]*load_feedback_root/);
    expect(dump.stdout).not.toContain("custom-value");
  });

  it("load on echo makes the HPA scale it, and the header follows", async () => {
    const feedback = () => header("/echo", "x-load-feedback");
    const replicas = async () =>
      (await kubectl("get", "deploy/echo", "-o", "jsonpath={.status.readyReplicas}")).stdout.trim();
    let burning = true;
    const burn = async () => {
      while (burning) await clone.get("/echo?burn=200").catch(() => {});
    };
    const load = [burn(), burn(), burn()];
    try {
      await expect.poll(feedback, { timeout: 180_000, interval: 500 }).toMatch(/current-load=2, target-load=2/);
      await expect.poll(replicas, { timeout: 120_000, interval: 1000 }).toBe("2");
    } finally {
      burning = false;
      await Promise.all(load);
    }
    await expect.poll(feedback, { timeout: 180_000, interval: 1000 }).toBe(atRest);
    await expect.poll(replicas, { timeout: 60_000, interval: 1000 }).toBe("1");
  });

  it("bursting-metrics down means no header, and up again the header", async () => {
    const feedback = () => header("/echo", "x-load-feedback");
    await kubectl("scale", "deploy/bursting-metrics", "--replicas=0");
    await expect.poll(feedback, { timeout: 60_000, interval: 200 }).toBeUndefined();
    expect((await clone.get("/echo")).status).toBe(200);
    await kubectl("scale", "deploy/bursting-metrics", "--replicas=1");
    await expect.poll(feedback, { timeout: 120_000, interval: 500 }).toBe(atRest);
  });

  it("one declaration and its cases hold on Istio and on this machine's Envoy, as on Envoy Gateway", async () => {
    await declareCases(clone);
    await up();
    await expectCasesToHold(clone);
    await restore();
    await up();

    const local = await ScratchClone.create();
    try {
      await declareCases(local);
      await local.json(["start"]);
      await expectCasesToHold(local);
    } finally {
      await local.remove();
    }
  });

  describe("deliveries", () => {
    /** Each to each of its targets, all at once; `/two` leads to httpbin-two, which has no filter of its own. */
    const ways: { delivery: string; target: Record<string, unknown> }[] = [
      ...["image", "http", "configmap", "volume", "lua"].map((delivery) => ({
        delivery,
        target: { workload: "httpbin-two" },
      })),
      ...["image", "http", "configmap", "lua"].flatMap((delivery) => [
        { delivery, target: { gateway: true } },
        { delivery, target: { route: "two" } },
      ]),
      { delivery: "image", target: { selector: { app: "httpbin-two" } } },
    ];
    /** As a WasmPlugin has them; the port is the container's. */
    const istio = { phase: "AUTHN", priority: 10, match: [{ mode: "SERVER", ports: [8080] }] };
    const nameOf = ({ delivery, target }: (typeof ways)[number]) => `by-${delivery}-${Object.keys(target)[0]}`;
    const script = (name: string, value: string) =>
      `function envoy_on_response(handle)\n  handle:headers():add("x-${name}", "${value}")\nend\n`;

    async function declareAll(value: string): Promise<void> {
      for (const way of ways) {
        const name = nameOf(way);
        if (way.delivery === "lua") await clone.write(`${name}.lua`, script(name, value));
      }
      await clone.configure((file) => {
        for (const way of ways) {
          const name = nameOf(way);
          const code =
            way.delivery === "lua"
              ? { script: `./${name}.lua`, expect: { [`x-${name}`]: value } }
              : { module: "./filter", root: "add_header_root", config: { [`x-${name}`]: value } };
          const more = name === "by-http-workload" ? { istio } : {};
          file.addIn(["config", "meshup:filters"], { name, ...code, ...way, ...more });
        }
      });
    }

    let registry: PrivateRegistry;
    afterAll(async () => {
      try {
        await restore();
        await up();
      } finally {
        await registry?.stop();
      }
    });

    it("each reaches each of its targets, images from a registry that asks for a password", async () => {
      registry = await startPrivateRegistry();
      await declareAll("yes");
      await useRegistry(stack, registry);
      const { outputs } = await up();
      const images = outputs.filters.filter((f) => f.delivery === "image").map(({ image }) => image);
      expect(images.length).toBeGreaterThan(0);
      for (const image of images) expect(image).toMatch(new RegExp(`^${registry.address}/.*@sha256:`));
      const { headers } = await clone.get("/two");
      for (const way of ways) {
        expect(headers[`x-${nameOf(way)}`], nameOf(way)).toBe("yes");
        expect(outputs.filters.find((f) => f.name === nameOf(way))?.delivery).toBe(way.delivery);
      }
      const elsewhere = (await clone.get("/one")).headers;
      for (const way of ways)
        expect(elsewhere[`x-${nameOf(way)}`], `${nameOf(way)} on /one`).toBe(
          "gateway" in way.target ? "yes" : undefined,
        );
    });

    it("a changed module comes by each of them without a hand on the pods, and no request is lost", async () => {
      await clone.edit("filter/assembly/add-header.ts", (text) => text.replace('# header")', 'now # header")'));
      const traffic = new Traffic(`http://localhost:${kind.gatewayPort}/two`);
      const { proofs } = await up();
      expect((await traffic.stop()).failures).toEqual([]);
      expect(proofs.every((proof) => proof.ok)).toBe(true);
      const { modules } = await clone.json<{ modules: { running: boolean }[] }>(["verify", "dev-istio"]);
      expect(modules.every((module) => module.running)).toBe(true);
    });

    it("a changed script is live without another pod", async () => {
      const before = (await podsFor("httpbin-two")).map(({ metadata }) => metadata.name);
      await clone.write("by-lua-workload.lua", script("by-lua-workload", "changed"));
      await clone.configure((file) => {
        const at = ["config", "meshup:filters", 5 + ways.findIndex((way) => nameOf(way) === "by-lua-workload")];
        file.setIn([...at, "expect"], { "x-by-lua-workload": "changed" });
      });
      await up();
      expect(await header("/two", "x-by-lua-workload")).toBe("changed");
      expect((await podsFor("httpbin-two")).map(({ metadata }) => metadata.name)).toEqual(before);
    });

    it("a filter that is meant for more, and other log levels, are in force by the next start", async () => {
      await clone.configure((file) => {
        const at = ["config", "meshup:filters", 5 + ways.findIndex((way) => nameOf(way) === "by-image-route")];
        file.setIn([...at, "target"], { gateway: true });
        file.setIn(["config", "meshup:logLevels"], { wasm: "debug" });
      });
      expect(await header("/one", "x-by-image-route")).toBeUndefined();
      await up();
      expect(await header("/one", "x-by-image-route")).toBe("yes");
      expect(await header("/two", "x-by-image-route")).toBe("yes");
      const sidecar = await kubectl("logs", "deploy/httpbin", "-c", "istio-proxy", "--tail=5000");
      expect(sidecar.stdout).toMatch(/debug\tenvoy wasm/);
    });
  });

  describe("when something is wrong", () => {
    it("a registry that is down while proxies fetch: each strategy does as it says, and the next start mends it", async () => {
      const on = (workload: string, failure: string) => ({
        name: `when-${failure}`,
        module: "./filter",
        root: "add_header_root",
        config: { [`x-${failure}`]: "yes" },
        target: { workload },
        failure,
      });
      await clone.configure((file) => {
        file.deleteIn(["config", "meshup:filters"]);
        file.setIn(
          ["config", "meshup:filters"],
          [on("httpbin", "open"), on("httpbin-two", "close"), on("echo", "reload")],
        );
      });
      await up();
      await exec("docker", ["stop", `${kind.name}-registry`]);
      for (const app of ["httpbin", "httpbin-two", "echo"]) await replacePods(app);
      await expect.poll(async () => (await clone.get("/two")).status, { timeout: 60_000 }).toBe(403);
      await expect.poll(async () => (await clone.get("/echo")).status, { timeout: 60_000 }).toBe(403);
      const open = await clone.get("/one");
      expect([open.status, open.headers["x-open"]]).toEqual([200, undefined]);
      const doctor = await clone.run(["doctor", "dev-istio"]);
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(/BROKEN +registry/);

      await exec("docker", ["start", `${kind.name}-registry`]);
      await up();
      expect(await header("/one", "x-open")).toBe("yes");
      expect(await header("/two", "x-close")).toBe("yes");
      expect(await header("/echo", "x-reload")).toBe("yes");
      await restore();
      await up();
    });

    async function replacePods(app: string): Promise<void> {
      const old = (await podsFor(app)).map(({ metadata }) => metadata.name);
      await kubectl("delete", "pods", "-l", `app=${app}`, "--wait=false");
      const replaced = async () => {
        const pods = await podsFor(app);
        return pods.length > 0 && pods.every((pod) => isReady(pod) && !old.includes(pod.metadata.name));
      };
      await expect.poll(replaced, { timeout: 120_000, interval: 500 }).toBe(true);
    }

    it("a module that a proxy would reject never reaches one", async () => {
      const trap: Behaviour = { value: "no", onConfigure: "unreachable(); return 1;" };
      const { file } = await compileModule(join(clone.folder, "build"), trap);
      await clone.configure((stack) =>
        stack.addIn(["config", "meshup:filters"], { name: "bad", module: file, target: { workload: "httpbin-two" } }),
      );
      const { code, stdout, stderr } = await start();
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/bad[\s\S]*unreachable/);
      const made = await kubectl("get", "wasmplugins", "-o", "name");
      expect(made.stdout).not.toContain("bad");
      await restore();
    });

    it("a selector that matches no pod is told of, with what there is", async () => {
      await clone.configure((stack) =>
        stack.addIn(["config", "meshup:filters"], {
          name: "nowhere",
          module: "./filter",
          root: "add_header_root",
          config: { "x-nowhere": "yes" },
          target: { selector: { app: "htpbin" } },
        }),
      );
      const { code, stdout, stderr } = await start();
      expect(code, stderr).toBe(0);
      expect(stdout + stderr).toMatch(/warning: .*no pod in namespace default has app=htpbin; there are app=bursting/);
      await restore();
      await up();
    });

    it("a restarted sidecar has its filters again", async () => {
      const restarts = async () => {
        const { stdout } = await kubectl("get", "pods", "-l", "app=httpbin", "-o", "jsonpath={..restartCount}");
        return stdout.split(" ").reduce((sum, count) => sum + Number(count), 0);
      };
      const before = await restarts();
      await kubectl(
        "exec",
        "deploy/httpbin",
        "-c",
        "istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "POST",
        "quitquitquit",
      );
      await expect.poll(restarts, { timeout: 60_000, interval: 500 }).toBeGreaterThan(before);
      await expect.poll(() => header("/one", "header_1"), { timeout: 120_000, interval: 500 }).toBe("first_header");
      expect(await header("/one", "x-custom-header")).toBe("custom-value");
    });

    it("istiod restarted under load loses no request", async () => {
      const traffic = new Traffic(`http://localhost:${kind.gatewayPort}/one`);
      await kubectl("-n", "istio-system", "rollout", "restart", "deploy/istiod");
      const done = await kubectl("-n", "istio-system", "rollout", "status", "deploy/istiod", "--timeout=120s");
      expect(done.code, done.stderr).toBe(0);
      const { failures, answers } = await traffic.stop();
      expect(failures).toEqual([]);
      expect(answers).toBeGreaterThan(0);
      expect(await header("/one", "x-custom-header")).toBe("custom-value");
    });

    it("the stack dev beside it is refused, since both want the same port", async () => {
      const other = await ScratchClone.inKind("dev", { ...kind, name: "meshup-e2e-other" });
      const { code, stdout, stderr } = await other.run(["start", "dev"]);
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(new RegExp(`port ${kind.gatewayPort} is in use by .*dev-istio`));
      await other.remove();
    });
  });

  it("destroy takes cluster and registry, and touches nothing else", async () => {
    const { code, stdout, stderr } = await clone.run(["destroy", "dev-istio"]);
    expect(code, stdout + stderr).toBe(0);
    expect(await containers()).toEqual(containersBefore);
    expect(existsSync(join(clone.folder, ".meshup/stacks"))).toBe(false);
    await expect(clone.get("/one")).rejects.toThrow(/ECONNREFUSED/);
  });
});
