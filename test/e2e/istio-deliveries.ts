/** Every way of a filter's code to the proxies on Istio, each to each of its targets. */
import { afterAll, describe, expect, it } from "vitest";
import { Traffic } from "../local/traffic.ts";
import type { DevStack } from "./dev-stack.ts";
import { type PrivateRegistry, startPrivateRegistry, useRegistry } from "./private-registry.ts";

/** Tests of a stack that is up; its configuration is as it was when they end, and in force with the next `up`. */
export function deliveriesOnIstio(stack: () => DevStack): void {
  let registry: PrivateRegistry;
  // Not before the tests beside these have brought up a stack without its images.
  afterAll(() => registry?.stop());

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
        if (way.delivery === "lua") await stack().clone.write(`${name}.lua`, script(name, value));
      }
      await stack().clone.configure((file) => {
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

    afterAll(() => stack().restore());

    it("each reaches each of its targets, images from a registry that asks for a password", async () => {
      registry = await startPrivateRegistry();
      await declareAll("yes");
      await useRegistry(stack(), registry);
      await stack().clone.configure((file) => file.setIn(["config", "meshup:logLevels"], { wasm: "debug" }));
      const { outputs } = await stack().up();
      const images = outputs.filters.filter((f) => f.delivery === "image").map(({ image }) => image);
      expect(images.length).toBeGreaterThan(0);
      for (const image of images) expect(image).toMatch(new RegExp(`^${registry.address}/.*@sha256:`));
      const { headers } = await stack().clone.get("/two");
      for (const way of ways) {
        expect(headers[`x-${nameOf(way)}`], nameOf(way)).toBe("yes");
        expect(outputs.filters.find((f) => f.name === nameOf(way))?.delivery).toBe(way.delivery);
      }
      const elsewhere = (await stack().clone.get("/one")).headers;
      for (const way of ways)
        expect(elsewhere[`x-${nameOf(way)}`], `${nameOf(way)} on /one`).toBe(
          "gateway" in way.target ? "yes" : undefined,
        );
    });

    it("other log levels are in force with the same start", async () => {
      const sidecar = await stack().kubectl("logs", "deploy/httpbin", "-c", "istio-proxy", "--tail=5000");
      expect(sidecar.stdout).toMatch(/debug\tenvoy wasm/);
    });

    it("a changed module comes by each of them without a hand on the pods, and no request is lost", async () => {
      await stack().clone.edit("filter/assembly/add-header.ts", (text) => text.replace('# header")', 'now # header")'));
      const traffic = new Traffic(`http://localhost:${stack().cluster.gatewayPort}/two`);
      const { proofs } = await stack().up();
      expect((await traffic.stop()).failures).toEqual([]);
      expect(proofs.every((proof) => proof.ok)).toBe(true);
      const { modules } = await stack().clone.json<{ modules: { running: boolean }[] }>(["verify", "dev-istio"]);
      expect(modules.every((module) => module.running)).toBe(true);
    });

    it("a changed script, and a filter that is meant for more, are live without another pod", async () => {
      const before = (await stack().podsFor("httpbin-two")).map(({ metadata }) => metadata.name);
      await stack().clone.write("by-lua-workload.lua", script("by-lua-workload", "changed"));
      await stack().clone.configure((file) => {
        const declared = (name: string) => [
          "config",
          "meshup:filters",
          5 + ways.findIndex((way) => nameOf(way) === name),
        ];
        file.setIn([...declared("by-lua-workload"), "expect"], { "x-by-lua-workload": "changed" });
        file.setIn([...declared("by-image-route"), "target"], { gateway: true });
      });
      expect(await stack().header("/one", "x-by-image-route")).toBeUndefined();
      await stack().up();
      expect(await stack().header("/two", "x-by-lua-workload")).toBe("changed");
      for (const path of ["/one", "/two"]) expect(await stack().header(path, "x-by-image-route")).toBe("yes");
      expect((await stack().podsFor("httpbin-two")).map(({ metadata }) => metadata.name)).toEqual(before);
    });
  });
}
