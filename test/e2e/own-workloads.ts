/** A person's own workloads in a cluster, one of each kind, on whichever mesh. */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { docker } from "../../components/cluster/docker.ts";
import { imageReference, withOverrides } from "../../components/config/overrides.ts";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import { TestRegistry } from "../../oci/testing/registry.ts";
import { createCertificate } from "../../services/testing/certificate.ts";
import type { DevStack } from "./dev-stack.ts";

const nodeImage = "docker.io/library/node:22-slim";
const httpbin = "docker.io/mccutchen/go-httpbin:2.26.0";
const secret = ["hunter2", "of", "the", "cluster"].join("-");

/** In a pod, and in a container beside the cluster: it tells what it was asked, and has figures for a filter that polls it. */
const program = `
const { createHash } = require("node:crypto");
const { PORT = "8443", TOKEN, KEY, CERT } = process.env;
const figures = "service=default/mine, current-load=1, target-load=1, max-load=2";
const answer = ({ url, headers, httpVersion }, response) => {
  const token = TOKEN && createHash("sha256").update(TOKEN).digest("hex");
  response.end(url === "/figures" ? figures : JSON.stringify({ url, host: headers.host ?? headers[":authority"], httpVersion, token }));
};
const server = KEY
  ? require("node:http2").createSecureServer({ key: KEY, cert: CERT, allowHTTP1: true }, answer)
  : require("node:http").createServer(answer);
server.listen(Number(PORT), "0.0.0.0");
process.on("SIGTERM", () => process.exit(0));
`;

/** Tests of a stack that is up; its configuration is as it was when they end, and in force with the next `up`. */
export function ownWorkloads(stack: () => DevStack): void {
  const certificate = createCertificate("test", "api.example.com");
  const upstream = () => `${stack().cluster.name}-upstream`;
  const kinds = ["there", "elsewhere", "ready-made", "built", "api"];
  const answerOf = async (name: string, path = "/some/where") => {
    const { status, headers, body } = await stack().clone.get(`/own-${name}${path}`);
    return { status, mine: headers[`x-${name}`], body };
  };

  /** An https server on the cluster's network, which is none of the cluster's. @returns its address */
  async function startUpstream(): Promise<string> {
    const { images = "{}" } = withOverrides({});
    const image = imageReference({ images: JSON.parse(images) }, nodeImage);
    const env = ["--env", `KEY=${certificate.key}`, "--env", `CERT=${certificate.cert}`];
    const args = ["run", "--detach", "--name", upstream(), "--network", "kind", ...env, image, "node", "-e", program];
    await docker(args);
    const format = '{{(index .NetworkSettings.Networks "kind").IPAddress}}';
    return (await docker(["inspect", "--format", format, upstream()])).trim();
  }

  /** A person's own Service, from before: in the stack's namespace, and in one of their own. */
  async function applyServices(): Promise<void> {
    const { images = "{}" } = withOverrides({});
    const image = imageReference({ images: JSON.parse(images) }, httpbin);
    await stack().kubectl("create", "namespace", "shop");
    for (const [namespace, name] of [
      ["default", "there"],
      ["shop", "elsewhere"],
    ] as const) {
      await stack().kubectl("-n", namespace, "create", "deployment", name, `--image=${image}`, "--port=8080");
      await stack().kubectl("-n", namespace, "expose", "deployment", name, "--port=80", "--target-port=8080");
      // The lab's Envoy, which is not Istio's own build, does not find out by itself that a port speaks HTTP.
      const named = { spec: { ports: [{ port: 80, targetPort: 8080, name: "http" }] } };
      await stack().kubectl("-n", namespace, "patch", "service", name, "--patch", JSON.stringify(named));
      const rollout = ["rollout", "status", "deployment", name, "--timeout=120s"];
      const { code, stdout, stderr } = await stack().kubectl("-n", namespace, ...rollout);
      expect(code, stdout + stderr).toBe(0);
    }
  }

  async function writeSite(source: string): Promise<void> {
    await mkdir(join(stack().clone.folder, "site"), { recursive: true });
    await stack().clone.write("site/server.cjs", source);
    await stack().clone.write("site/ca.pem", certificate.cert);
    await stack().clone.write(
      "site/Dockerfile",
      `FROM ${nodeImage}\nCOPY server.cjs /srv/\nCMD ["node", "/srv/server.cjs"]\n`,
    );
  }

  async function setSecret(): Promise<void> {
    const { clone } = stack();
    const { stdout } = await clone.run(["init", clone.stack]);
    const set = `${stdout}\npulumi config set -s ${clone.stack} --secret meshup:token`;
    const { code, stderr } = await exec("sh", ["-c", set], { cwd: clone.folder, env: clone.env(), input: secret });
    expect(code, stderr).toBe(0);
  }

  /** Somebody's module in a registry that no pod can reach. */
  let registry: TestRegistry | undefined;
  async function pushModule(): Promise<string> {
    registry = await TestRegistry.start();
    const module = readFileSync(join(root, "test/fixtures/header-in-rust/header-in-rust.wasm"));
    return `oci://${registry.host}/me/filter@${registry.compat(module)}`;
  }

  describe("a person's own workloads", () => {
    afterAll(async () => {
      await registry?.stop();
      await docker(["rm", "--force", "--volumes", upstream()]).catch(() => {});
      await stack().restore();
    });

    it("of each kind answer with their filter's header, also when called by another's", async () => {
      const [address] = await Promise.all([startUpstream(), applyServices(), writeSite(program)]);
      await setSecret();
      const module = await pushModule();
      await stack().clone.configure((file) => {
        const config = (key: string) => ["config", `meshup:${key}`];
        file.setIn(config("demo"), true);
        file.setIn(config("workloads"), {
          there: { service: { name: "there", port: 80 } },
          elsewhere: { service: { namespace: "shop", name: "elsewhere", port: 80 } },
          "ready-made": { image: httpbin, port: 8080, healthPath: "/status/200" },
          built: { build: "./site", port: 3000, env: { TOKEN: { secret: "token" } } },
          api: {
            url: `https://${address}:8443/v1`,
            ca: "site/ca.pem",
            sni: "api.example.com",
            host: "api.example.com",
          },
        });
        for (const name of kinds) {
          file.addIn(config("routes"), { name: `own-${name}`, path: `/own-${name}`, workload: name });
          file.addIn(config("filters"), {
            name: `on-${name}`,
            module: "./filter",
            root: "add_header_root",
            config: { [`x-${name}`]: "yes" },
            target: { workload: name },
          });
        }
        file.addIn(config("filters"), {
          name: "calls-built",
          module: "./filter",
          root: "load_feedback_root",
          config: { cluster: "built", path: "/figures", interval_ms: 500 },
          target: { route: "own-api" },
          expect: { "x-load-feedback": "/default\\/mine/" },
        });
        file.addIn(config("filters"), { name: "pulled", module, target: { route: "own-there" } });
        file.addIn(config("filters"), {
          name: "pulled-http",
          module,
          target: { route: "own-built" },
          delivery: "http",
        });
      });
      const { proofs, outputs } = await stack().up();
      expect(proofs.every(({ ok }) => ok)).toBe(true);
      // The stack's own copy: pods know nothing of the registry that it came from.
      expect(outputs.filters.find(({ name }) => name === "pulled")?.image).toMatch(/\/meshup\/filter-\w{12}@sha256:/);
      for (const route of ["/own-there", "/own-built"]) expect(await stack().header(route, "x-from-rust")).toBe("yes");
      expect(await stack().header("/own-api", "x-from-rust")).toBeUndefined();
      for (const name of kinds) expect(await answerOf(name, "/")).toMatchObject({ status: 200, mine: "yes" });
      expect(await stack().header("/own-api", "x-load-feedback")).toContain("service=default/mine");
    });

    it("get what is meant for them: a path of their own, a Host, a secret", async () => {
      const api = JSON.parse((await answerOf("api")).body);
      expect(api).toEqual({ url: "/v1/some/where", host: "api.example.com", httpVersion: "1.1" });
      const built = JSON.parse((await answerOf("built")).body);
      expect(built).toMatchObject({ url: "/some/where", token: expect.stringMatching(/^[0-9a-f]{64}$/) });
      const { stdout } = await stack().kubectl("get", "deployments,replicasets,pods", "-o", "yaml");
      expect(stdout).not.toContain(secret);
    });

    it("are known by name to status and logs, and there is nothing more to do", async () => {
      const { clone } = stack();
      const status = await clone.run(["status", clone.stack]);
      for (const name of ["there", "elsewhere", "ready-made", "built"])
        expect(status.stdout).toMatch(new RegExp(`${name} +1/1 ready`));
      expect((await clone.run(["logs", clone.stack, "ready-made"])).stdout).toMatch(/200/);
      expect((await stack().start()).stdout).toMatch(/Nothing to change/);
    });

    it("that are not there, or cannot be had, are told, and those before go on", async () => {
      const { clone } = stack();
      const before = await clone.read(clone.stackFile);
      await clone.configure((file) => {
        file.setIn(["config", "meshup:workloads", "there", "service", "port"], 81);
        file.setIn(["config", "meshup:workloads", "elsewhere", "service", "name"], "nowhere");
        file.setIn(["config", "meshup:workloads", "api", "url"], "https://localhost:1");
      });
      const wrong = await stack().start();
      expect(wrong.stdout + wrong.stderr).toMatch(
        /meshup:workloads\.api\.url: localhost is the proxy's own machine there/,
      );
      await clone.configure((file) => file.setIn(["config", "meshup:workloads", "api", "url"], "https://192.0.2.1:1"));
      const { code, stdout, stderr } = await stack().start();
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(
        /workloads\.there\.service\.port: the Service default\/there has no port 81; it has 80/,
      );
      expect(stdout + stderr).toMatch(
        /workloads\.elsewhere\.service: there is no Service shop\/nowhere; shop has elsewhere/,
      );
      expect(stdout + stderr).toMatch(/workloads\.api\.url: nobody answers at https:\/\/192\.0\.2\.1:1/);
      await clone.write(clone.stackFile, before);

      await writeSite('console.error("no database"); process.exit(3);');
      const crashed = await stack().start();
      expect(crashed.code).toBe(1);
      expect(crashed.stdout + crashed.stderr).toMatch(
        /built does not come up: it exited with code 3[\s\S]*no database/,
      );
      expect(await answerOf("built", "/")).toMatchObject({ status: 200, mine: "yes" });
      await writeSite(program);
      await stack().up();
    });
  });
}
