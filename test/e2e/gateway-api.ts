/** Istio with a gateway that istiod makes itself: only targetRefs reach it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { exec } from "../../lib/exec.ts";
import { Traffic } from "../local/traffic.ts";
import type { DevStack, StartDocument } from "./dev-stack.ts";

/** Tests of a stack that is up with Istio's own gateway. */
export function gatewayOfTheGatewayApi(stack: () => DevStack): void {
  describe("a gateway of the Gateway API in its place", () => {
    let started: StartDocument;
    let meanwhile: Awaited<ReturnType<Traffic["stop"]>>;
    let env: NodeJS.ProcessEnv;

    beforeAll(async () => {
      env = await overridesWithDefinitions(stack().clone.folder);
      await stack().clone.write(
        "hello.lua",
        'function envoy_on_response(h)\n  h:headers():add("x-lua", "hello")\nend\n',
      );
      const filter = (name: string, target: object) => ({
        name,
        module: "./filter",
        root: "add_header_root",
        config: { [`x-${name}`]: "yes" },
        target,
      });
      await stack().clone.configure((file) => {
        file.setIn(["config", "meshup:istio"], { gateway: "gateway-api" });
        file.setIn(
          ["config", "meshup:filters"],
          [
            filter("everywhere", { gateway: true }),
            filter("on-one", { route: "one" }),
            filter("in-httpbin", { workload: "httpbin" }),
            { name: "by-lua", script: "./hello.lua", target: { route: "two" }, expect: { "x-lua": "hello" } },
          ],
        );
      });
      const traffic = new Traffic(`http://localhost:${stack().cluster.gatewayPort}/one`);
      started = await stack().up(env);
      meanwhile = await traffic.stop();
    });

    const ours = async (path: string, headers?: Record<string, string>) => {
      const response = await stack().clone.get(path, headers);
      const names = ["x-everywhere", "x-on-one", "x-in-httpbin", "x-lua"].filter((name) => name in response.headers);
      return [response.status, ...names];
    };

    it("filters of the gateway, of a route and of a workload are each where they are meant to be", async () => {
      expect(started.proofs.map(({ ok }) => ok)).toEqual([true, true, true, true]);
      expect(await ours("/one")).toEqual([200, "x-everywhere", "x-on-one", "x-in-httpbin"]);
      expect(await ours("/two")).toEqual([200, "x-everywhere", "x-lua"]);
      expect(await ours("/get", { host: "www.example.com" })).toEqual([200, "x-everywhere"]);
      expect(await ours("/get")).toEqual([404, "x-everywhere"]);
    });

    it("no request is lost on the way, and the other gateway has gone", async () => {
      expect(meanwhile.failures).toEqual([]);
      expect(meanwhile.answers).toBeGreaterThan(0);
      const pods = await stack().kubectl("-n", "istio-ingress", "get", "deployments", "-o", "name");
      expect(pods.stdout.trim()).toBe("deployment.apps/gateway-istio");
    });

    it("verify and doctor know this gateway", async () => {
      const { ok } = await stack().clone.json<{ ok: boolean }>(["verify", "dev-istio"]);
      expect(ok).toBe(true);
      const { code, stdout } = await stack().clone.run(["doctor", "dev-istio"]);
      expect(code, stdout).toBe(0);
      expect((await stack().clone.run(["config-dump", "dev-istio", "gateway"])).stdout).toContain("x-everywhere");
    });

    it("again says that nothing has changed", async () => {
      expect((await stack().start(env)).stdout).toMatch(/Nothing to change/);
    });
  });
}

/** Where there is no internet, the kinds' definitions are taken from a chart that has them. */
async function overridesWithDefinitions(folder: string): Promise<NodeJS.ProcessEnv> {
  const file = process.env.MESHUP_OVERRIDES;
  if (!file) return {};
  const overrides = parse(readFileSync(file, "utf8")) as { charts?: Record<string, string> };
  const chart = overrides.charts?.["gateway-helm"];
  if (!chart?.endsWith(".tgz")) return {};
  const { stdout, code, stderr } = await exec("tar", [
    "-xzOf",
    chart,
    "gateway-helm/charts/crds/crds/gatewayapi-crds.yaml",
  ]);
  if (code !== 0) throw new Error(stderr);
  const gatewayApi = join(folder, "gateway-api.yaml");
  writeFileSync(gatewayApi, stdout);
  const extended = join(folder, "overrides.yaml");
  writeFileSync(extended, JSON.stringify({ ...overrides, gatewayApi }));
  return { MESHUP_OVERRIDES: extended };
}
