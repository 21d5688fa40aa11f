/** What goes wrong with filters on Istio, as a person sees it. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isReady } from "../../kube/pods.ts";
import { exec } from "../../lib/exec.ts";
import { ScratchClone } from "../local/scratch-clone.ts";
import { Traffic } from "../local/traffic.ts";
import { type Behaviour, compileModule } from "../modules.ts";
import type { DevStack } from "./dev-stack.ts";

/** Tests of a stack that is up. */
export function faultsOnIstio(stack: () => DevStack): void {
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
      const filters = [on("httpbin", "open"), on("httpbin-two", "close"), on("echo", "reload")];
      await stack().clone.configure((file) => file.setIn(["config", "meshup:filters"], filters));
      await stack().up();
      await exec("docker", ["stop", `${stack().cluster.name}-registry`]);
      await Promise.all(["httpbin", "httpbin-two", "echo"].map(replacePods));
      await expect.poll(async () => (await stack().clone.get("/two")).status, { timeout: 60_000 }).toBe(403);
      await expect.poll(async () => (await stack().clone.get("/echo")).status, { timeout: 60_000 }).toBe(403);
      const open = await stack().clone.get("/one");
      expect([open.status, open.headers["x-open"]]).toEqual([200, undefined]);
      const doctor = await stack().clone.run(["doctor", "dev-istio"]);
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(/BROKEN +registry/);

      await exec("docker", ["start", `${stack().cluster.name}-registry`]);
      await stack().up();
      expect(await stack().header("/one", "x-open")).toBe("yes");
      expect(await stack().header("/two", "x-close")).toBe("yes");
      expect(await stack().header("/echo", "x-reload")).toBe("yes");
      await stack().restore();
    });

    async function replacePods(app: string): Promise<void> {
      const old = (await stack().podsFor(app)).map(({ metadata }) => metadata.name);
      await stack().kubectl("delete", "pods", "-l", `app=${app}`, "--wait=false");
      const replaced = async () => {
        const pods = await stack().podsFor(app);
        return pods.length > 0 && pods.every((pod) => isReady(pod) && !old.includes(pod.metadata.name));
      };
      await expect.poll(replaced, { timeout: 120_000, interval: 500 }).toBe(true);
    }

    it("a module that a proxy would reject never reaches one", async () => {
      const trap: Behaviour = { value: "no", onConfigure: "unreachable(); return 1;" };
      const module = (await compileModule(join(stack().clone.folder, "build"), trap)).file;
      await stack().declare({ name: "bad", module, target: { workload: "httpbin-two" } });
      const { code, stdout, stderr } = await stack().start();
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/bad[\s\S]*unreachable/);
      const made = await stack().kubectl("get", "wasmplugins", "-o", "name");
      expect(made.stdout).not.toContain("bad");
      await stack().restore();
    });

    it("a selector that matches no pod is told of, with what there is", async () => {
      await stack().declare({
        name: "nowhere",
        module: "./filter",
        root: "add_header_root",
        config: { "x-nowhere": "yes" },
        target: { selector: { app: "htpbin" } },
      });
      const { code, stdout, stderr } = await stack().start();
      expect(code, stderr).toBe(0);
      expect(stdout + stderr).toMatch(/warning: .*no pod in namespace default has app=htpbin; there are app=bursting/);
      await stack().restore();
    });

    it("a restarted sidecar has its filters again", async () => {
      const restarts = async () => {
        const { stdout } = await stack().kubectl("get", "pods", "-l", "app=httpbin", "-o", "jsonpath={..restartCount}");
        return stdout.split(" ").reduce((sum, count) => sum + Number(count), 0);
      };
      const before = await restarts();
      await stack().kubectl(
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
      await expect
        .poll(() => stack().header("/one", "header_1"), { timeout: 120_000, interval: 500 })
        .toBe("first_header");
      expect(await stack().header("/one", "x-custom-header")).toBe("custom-value");
    });

    it("istiod restarted under load loses no request", async () => {
      const traffic = new Traffic(`http://localhost:${stack().cluster.gatewayPort}/one`);
      await stack().kubectl("-n", "istio-system", "rollout", "restart", "deploy/istiod");
      const done = await stack().kubectl("-n", "istio-system", "rollout", "status", "deploy/istiod", "--timeout=120s");
      expect(done.code, done.stderr).toBe(0);
      const { failures, answers } = await traffic.stop();
      expect(failures).toEqual([]);
      expect(answers).toBeGreaterThan(0);
      expect(await stack().header("/one", "x-custom-header")).toBe("custom-value");
    });

    it("the stack dev beside it is refused, since both want the same port", async () => {
      const other = await ScratchClone.inKind("dev", { ...stack().cluster, name: "meshup-e2e-other" });
      const { code, stdout, stderr } = await other.run(["start", "dev"]);
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(new RegExp(`port ${stack().cluster.gatewayPort} is in use by .*dev-istio`));
      await other.remove();
    });
  });
}
