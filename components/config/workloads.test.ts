import { describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { caught, encode, filter, problems, read, route } from "./testing/config.ts";

describe("a person's own workloads", () => {
  const own = { command: ["npm", "run", "dev"], port: 3000 };
  const web = (workload: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
    workloads: { web: { ...own, ...workload } },
    demo: true,
    ...more,
  });
  const inCluster = { cluster: "kind", mesh: "envoy-gateway" };

  it("have defaults for all but what they are and where they listen; numbers are text in an environment", () => {
    expect(read(web({ env: { DEBUG: true, LEVEL: 3, NAME: "x" } })).workloads?.web).toEqual({
      kind: "command",
      ...own,
      directory: ".",
      env: { DEBUG: "true", LEVEL: "3", NAME: "x" },
      http2: false,
    });
  });

  it.each([
    ["no kind", { workloads: { web: { port: 3000 } }, demo: true }, "web: exactly one of command"],
    ["two kinds", web({ url: "http://localhost:1" }), "web: exactly one of command"],
    ["a name that is no DNS label", { workloads: { Web: own }, demo: true }, "Web: a name has lower-case letters"],
    ["a name of the demo's", { workloads: { echo: own }, demo: true }, "echo: echo is a workload of the demo's"],
    ["a name of Envoy's", { workloads: { envoy: own }, demo: true }, "envoy: a part of the stack has this name"],
    ["a command in one piece", web({ command: "npm run dev" }), "web.command: a list, [PROGRAM, ARGUMENT, …]"],
    ["an empty command", web({ command: [] }), "web.command: a list, [PROGRAM, ARGUMENT, …]"],
    ["no port", web({ port: undefined }), "web.port: is missing; expected number"],
    ["a port of root's", web({ port: 80 }), "web.port: Too small"],
    ["Envoy's port", web({ port: 10000 }), "web.port: 10000 is the port of gateway already"],
    ["a port of the demo's", web({ port: 8100 }), "web.port: 8100 is the port of httpbin already"],
    ["a key that there is not", web({ helthPath: "/" }), "web.helthPath: there is no such key"],
    ["a path without a slash", web({ healthPath: "health" }), 'web.healthPath: a path such as "/healthz"'],
    ["a variable that is none", web({ env: { "A-B": "x" } }), "web.env.A-B: a name has letters, digits"],
    ["a variable with a list", web({ env: { A: [1] } }), "web.env.A: text, or { secret: KEY }"],
    [
      "a command beside a cluster",
      web({}, inCluster),
      "web.command: runs on this machine, which a cluster does not reach: image, build, service, url",
    ],
    [
      "an image without a cluster",
      { workloads: { web: { image: "a/b:1", port: 80 } }, demo: true },
      "web.image: needs a cluster",
    ],
    [
      "an image's name with a space",
      { ...inCluster, workloads: { web: { image: "a b", port: 80 } }, demo: true },
      "web.image: an image such as",
    ],
    [
      "a folder to build without a cluster",
      { workloads: { web: { build: ".", port: 80 } }, demo: true },
      "web.build: needs a cluster",
    ],
    [
      "a Service without a cluster",
      { workloads: { web: { service: { name: "a", port: 80 } } }, demo: true },
      "web.service: needs a cluster",
    ],
    [
      "a Service without a port",
      { ...inCluster, workloads: { web: { service: { name: "a" } } }, demo: true },
      "web.service.port: is missing",
    ],
    [
      "a Service of no such name",
      { ...inCluster, workloads: { web: { service: { name: "1a", port: 80 } } }, demo: true },
      "web.service.name: a Service's name begins",
    ],
    [
      "a name that no Service may have",
      { ...inCluster, workloads: { "1web": { image: "a/b:1", port: 80 } }, demo: true },
      "1web: it becomes a Service's name",
    ],
    [
      "a name of the cluster's",
      { ...inCluster, workloads: { kubernetes: { image: "a/b:1", port: 80 } }, demo: true },
      "kubernetes: a part of the stack has this name",
    ],
    [
      "a certificate by address for Envoy Gateway",
      { ...inCluster, workloads: { web: { url: "https://10.0.0.1" } }, demo: true },
      "web.sni: is missing; the mesh knows certificates by name",
    ],
  ])("cannot have %s", (_, values, message) => {
    const found = problems(values);
    expect(found).toHaveLength(2);
    expect(found[1]).toContain(`meshup:workloads.${message}`);
  });

  it.each(["localhost:3000", "ftp://a.b", "http://", "//a.b", "http://a.b?x=1", "http://a.b#x"])(
    "are at no such address: %s",
    (url) => {
      expect(problems({ workloads: { web: { url } }, demo: true })[1]).toMatch(
        /^meshup:workloads\.web\.url: an address such as/,
      );
    },
  );

  it("of others have no volumes of the stack's", () => {
    const istio = {
      cluster: "kind",
      mesh: "istio",
      demo: true,
      workloads: { web: { service: { name: "a", port: 80 } } },
    };
    const routes = [{ ...route, workload: "web" }];
    for (const delivery of ["volume", "configmap"])
      expect(problems({ ...istio, routes, filters: [{ ...filter, target: { workload: "web" }, delivery }] })).toContain(
        `meshup:filters[0].delivery: ${delivery} changes pods, and these are not the stack's: image, http`,
      );
  });

  it("show no password in an address", () => {
    const [, problem] = problems({ workloads: { web: { url: "https://me:hunter2@a.b" } }, demo: true });
    expect(problem).toMatch(/^meshup:workloads\.web\.url: has no room for a password/);
    expect(problem).not.toContain("hunter2");
  });

  it.each([
    "http://localhost:3000",
    "http://app.localhost",
    "https://127.0.0.1",
    "http://[::1]:80",
    "http://0.0.0.0:1",
  ])("are not at %s for a cluster", (url) => {
    expect(problems({ ...inCluster, workloads: { web: { url } }, demo: true })[1]).toMatch(
      /^meshup:workloads\.web\.url: .* is the proxy's own machine there, and not this one$/,
    );
  });

  it("are named wrong together with all else that is wrong", () => {
    const found = problems({
      workloads: { web: { ...own, port: "x" }, api: { url: "nowhere" } },
      routes: [{ ...route, workload: "wob" }],
      filters: [{ ...filter, target: { workload: "apy" } }],
      fliters: [],
    });
    expect(found.map((line) => line.split(": ")[0])).toEqual([
      "Pulumi.local.yaml has 5 problems:",
      "meshup:routes[0].workload",
      "meshup:filters[0].target.workload",
      "meshup:workloads.web.port",
      "meshup:workloads.api.url",
      "meshup:fliters",
    ]);
  });

  describe("and their secrets", () => {
    const withSecret = (secret: unknown, values: Record<string, string> = {}, isSecret?: (key: string) => boolean) =>
      readConfig(
        {
          ...Object.fromEntries(
            Object.entries(encode({ mesh: "standalone", routes: [route], ...web({ env: { TOKEN: { secret } } }) })).map(
              ([key, value]) => [`meshup:${key}`, value],
            ),
          ),
          ...values,
        },
        "local",
        undefined,
        isSecret,
      );

    it("are named, and are not part of the configuration", () => {
      const config = withSecret("token", { "meshup:token": "hunter2" });
      expect(config.workloads?.web).toMatchObject({ env: { TOKEN: { secret: "token" } } });
      expect(JSON.stringify(config)).not.toContain("hunter2");
    });

    it.each([
      ["are not set", "token", {}, "meshup:token is not set: `pulumi config set --secret meshup:token`"],
      ["are a setting's", "ports", {}, '"ports" is a setting of the stack: choose another key'],
      ["have no key's name", "a b", {}, "a key has letters, digits, dots, dashes and underscores"],
    ])("are told where they %s", (_, key, values, message) => {
      expect(() => withSecret(key, values)).toThrow(`meshup:workloads.web.env.TOKEN.secret: ${message}`);
    });

    it("are told where they stand in plain text, which is not shown", () => {
      const error = caught(() => withSecret("token", { "meshup:token": "hunter2" }, () => false));
      expect(String(error)).toContain("meshup:token is not kept as a secret: take it out of the file, and then");
      expect(String(error)).not.toContain("hunter2");
    });

    it("a key that nobody names is none", () => {
      expect(() => withSecret("token", { "meshup:token": "a", "meshup:tokn": "hunter2" })).toThrow(
        "meshup:tokn: there is no such key",
      );
    });
  });
});
