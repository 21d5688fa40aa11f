/** What goes wrong on the way of a filter to the proxy, as a person sees it: by what `npm start` prints. */
import { createServer } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { ScratchClone } from "../local/scratch-clone.ts";
import type { DevStack } from "./dev-stack.ts";
import { type PrivateRegistry, startPrivateRegistry, useRegistry } from "./private-registry.ts";

/** Tests of a stack that is up, and is as it was when they end. */
export function faultsOfDelivery(stack: () => DevStack): void {
  /** Changes a file of the clone, fails to bring the stack up, and puts the file back. @returns what was printed */
  async function failWith(file: string, from: string, to: string): Promise<string> {
    const { clone } = stack();
    const before = await clone.read(file);
    await clone.edit(file, (text) => text.replace(from, to));
    const { code, stdout, stderr } = await stack().start();
    await clone.write(file, before);
    expect(code).toBe(1);
    return stdout + stderr;
  }

  /** Live routes go on with what they had: a module is found out before any of them names it. */
  async function expectLiveRoutes(): Promise<void> {
    expect(await stack().header("/one", "x-custom-header")).toBe("custom-value");
  }

  describe("an image", () => {
    it("of another layout is refused, with Envoy Gateway's words and its log", async () => {
      const printed = await failWith("components/registry/image.ts", "COPY plugin.wasm ./", "COPY plugin.wasm ./other");
      expect(printed).toMatch(/policy default\/module-image-\S+ is not accepted: Invalid[\s\S]*plugin\.wasm/);
      await expectLiveRoutes();
    });

    it("with another digest than the one that was built is refused, and both are named", async () => {
      const built = 'sha256: digest.replace(/^sha256:/, "")';
      const printed = await failWith(
        "components/mesh/envoy-gateway/extension-policy.ts",
        built,
        `sha256: "${"0".repeat(64)}"`,
      );
      expect(printed).toMatch(/is not accepted: Invalid[\s\S]*0{64}/);
      expect(printed).toMatch(/What is served there is not what was built/);
      await expectLiveRoutes();
    });
  });

  describe("a registry elsewhere", () => {
    let registry: PrivateRegistry;
    afterAll(async () => {
      try {
        await stack().restore();
        await stack().up();
      } finally {
        await registry?.stop();
      }
    });

    it("that asks for a password is pulled from with a pull secret", async () => {
      registry = await startPrivateRegistry();
      await useRegistry(stack(), registry);
      const { outputs } = await stack().up();
      expect(outputs.filters[0]?.image).toMatch(new RegExp(`^${registry.address}/.*@sha256:`));
      await expectLiveRoutes();
    });

    it("that is down while the policy is applied, and comes back: the same start ends well", async () => {
      const { clone } = stack();
      const source = "filter/assembly/add-header.ts";
      const before = await clone.read(source);
      await clone.edit(source, (text) => text.replace('# header")', 'later # header")'));
      await registry.leaveCluster();
      const starting = stack().start();
      try {
        const refusals = async () =>
          (await stack().policies()).filter(({ message }) => /could not fetch/.test(message));
        const refused = expect.poll(refusals, { timeout: 300_000, interval: 200 }).toHaveLength(1);
        const tooEarly = starting.then(({ stdout, stderr }) => {
          throw new Error(`it ended before the policy was refused:\n${stdout}${stderr}`);
        });
        tooEarly.catch(() => {});
        await Promise.race([refused, tooEarly]);
        await expectLiveRoutes();
      } finally {
        await registry.joinCluster();
        await clone.write(source, before);
      }
      const { code, stdout, stderr } = await starting;
      expect(code, stdout + stderr).toBe(0);
    });

    it("that has not got the image, as it was pushed elsewhere: what is to be mended is named", async () => {
      await useRegistry(stack(), registry, `${stack().cluster.registryHost}:5000/elsewhere`);
      const { code, stdout, stderr } = await stack().start();
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/is not accepted[\s\S]*(MANIFEST|NAME)_UNKNOWN[\s\S]*meshup:registry\.push/);
      await expectLiveRoutes();
    });
  });

  it("taken ports are named, all at once, before anything is made", async () => {
    const [gateway, registry] = [await listenInRange(), await listenInRange()];
    const cluster = { name: "meshup-e2e-ports", registryHost: "ports.localhost" };
    const other = await ScratchClone.inKind("dev", {
      ...cluster,
      gatewayPort: gateway.port,
      registryPort: registry.port,
    });
    const { code, stdout, stderr } = await other.run(["start", "dev"]);
    await other.remove();
    for (const server of [gateway, registry]) server.close();
    expect(code).toBe(1);
    const printed = stdout + stderr;
    expect(printed).toMatch(new RegExp(`^port ${gateway.port} is in use.*meshup:kind.gatewayPort$`, "m"));
    expect(printed).toMatch(new RegExp(`^port ${registry.port} is in use.*meshup:kind.registryPort$`, "m"));
    const { stdout: names } = await exec("docker", ["ps", "--all", "--format", "{{.Names}}"]);
    expect(names).not.toContain(cluster.name);
  });
}

/** Node ports are between 30000 and 32767. */
async function listenInRange(): Promise<{ port: number; close(): void }> {
  for (let port = 31_900; port < 32_000; port++) {
    const server = createServer();
    const listening = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (listening) return { port, close: () => server.close() };
  }
  throw new Error("all of 31900 to 31999 are taken");
}
