import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { root } from "../../lib/paths.ts";
import { settingsOf } from "../cluster/kind/schema.ts";
import { workloadNames } from "../workloads/declared.ts";
import { parseConfig, readConfig } from "./config.ts";

const route = { name: "one", path: "/one", workload: "httpbin" };
const filter = { name: "custom", module: "./filter", root: "add_header_root", target: { route: "one" } };

/** As Pulumi hands a configuration over: objects and numbers as JSON, text as it is. */
function encode(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, v]) => [key, typeof v === "string" ? v : JSON.stringify(v)]),
  );
}

const read = (values: Record<string, unknown>) =>
  parseConfig(encode({ mesh: "standalone", routes: [route], ...values }), "local");
const problems = (values: Record<string, unknown>) => {
  try {
    read(values);
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.trim());
  }
  return [];
};

describe("a stack's configuration", () => {
  it("is read from Pulumi.local.yaml as it stands in the clone", () => {
    const file = parse(readFileSync(join(root, "Pulumi.local.yaml"), "utf8")) as { config: Record<string, unknown> };
    const config = readConfig(encode(file.config), "local");
    expect(config.routes.map((r) => r.path)).toEqual(["/one", "/two", "/headers", "/echo"]);
    expect(config.filters.map((f) => f.failure)).toEqual(["close", "close", "close", "open"]);
    expect(config.ports.gateway).toBe(10000);
  });

  it("has a default for everything but the mesh and the routes", () => {
    const config = read({});
    expect(config.ports).toEqual({
      gateway: 10000,
      admin: 9901,
      httpbin: 8100,
      "httpbin-two": 8200,
      echo: 8300,
      "bursting-metrics": 8400,
    });
    expect(config.load).toEqual({ capacity: 4, minReplicas: 1, maxReplicas: 2, periodMs: 1000 });
    expect(config.filters).toEqual([]);
    expect(config.logLevels).toEqual({ wasm: "info" });
  });

  it("takes one port and leaves the others at their defaults", () => {
    expect(read({ ports: { gateway: 12000 } }).ports).toMatchObject({ gateway: 12000, admin: 9901 });
  });

  it("has workloads of one's own in place of the demo's, whose ports are free then, or beside them", () => {
    const workloads = { mine: { url: "http://localhost:3000" } };
    const own = read({ workloads, routes: [{ ...route, workload: "mine" }], ports: { echo: 8100 } });
    expect(workloadNames(own)).toEqual(["mine"]);
    const both = read({ workloads, demo: true });
    expect(workloadNames(both)).toEqual(["httpbin", "httpbin-two", "echo", "bursting-metrics", "mine"]);
  });

  it("keeps a filter's configuration as it is, text or object", () => {
    const config = read({
      filters: [
        { ...filter, config: "not: json" },
        { ...filter, name: "b", config: { a: { b: [1] } } },
      ],
    });
    expect(config.filters.map((f) => f.config)).toEqual(["not: json", { a: { b: [1] } }]);
  });

  it("ignores what belongs to other namespaces", () => {
    const all = { ...encode({ "meshup:mesh": "standalone", "meshup:routes": [route] }), "aws:region": "eu-west-1" };
    expect(readConfig(all, "local").mesh).toBe("standalone");
  });
});

describe("a wrong configuration", () => {
  it("names every problem at once, each with its key and what would be right", () => {
    const found = problems({
      mesh: "isto",
      ports: { gateway: 80, admin: 9901, echo: 9901 },
      routes: [route, { name: "one", path: "two/", workload: "htpbin" }],
      filters: [{ ...filter, target: { route: "thre" }, failure: "closed" }],
      fliters: [],
    });
    const text = found.join("\n");
    expect(found[0]).toMatch(/^Pulumi\.local\.yaml has \d+ problems:$/);
    expect(text).toMatch(/meshup:mesh: .*"standalone"/);
    expect(text).toMatch(/meshup:ports\.gateway: .*1024/);
    expect(text).toMatch(/meshup:routes\[1\]\.path: a path such as "\/one"/);
    expect(text).toMatch(/meshup:routes\[1\]\.workload: .*"httpbin".*"echo"/);
    expect(text).toMatch(/meshup:filters\[0\]\.failure: .*"open".*"close".*"reload"/);
    expect(text).toContain("meshup:fliters: there is no such key");
  });

  it.each([
    [
      "a filter for a route that is not there",
      { filters: [{ ...filter, target: { route: "thre" } }] },
      'meshup:filters[0].target.route: no route is named "thre"; there are one',
    ],
    [
      "a filter for a workload without a route",
      { filters: [{ ...filter, target: { workload: "echo" } }] },
      "meshup:filters[0].target.workload: no route goes to echo; routes go to httpbin",
    ],
    [
      "a route to a workload that is not there",
      { routes: [{ ...route, workload: "htpbin" }] },
      'meshup:routes[0].workload: no workload is named "htpbin"; there are "httpbin", "httpbin-two", "echo", "bursting-metrics"',
    ],
    [
      "a filter for a workload that is not there",
      { filters: [{ ...filter, target: { workload: "htpbin" } }] },
      'meshup:filters[0].target.workload: no workload is named "htpbin"; there are "httpbin", "httpbin-two", "echo", "bursting-metrics"',
    ],
    [
      "a workload of the demo's beside one's own",
      { workloads: { mine: { url: "http://localhost:3000" } } },
      'meshup:routes[0].workload: no workload is named "httpbin"; there are "mine"',
    ],
    [
      "no workload at all",
      { demo: false },
      'meshup:routes[0].workload: no workload is named "httpbin"; there are none',
    ],
    [
      "two filters of one name",
      { filters: [filter, filter] },
      'meshup:filters[1].name: "custom" is taken by filters[0]',
    ],
    [
      "two routes of one path",
      { routes: [route, { ...route, name: "b" }] },
      'meshup:routes[1].path: "/one" is taken by routes[0]',
    ],
    ["two users of a port", { ports: { echo: 8100 } }, "meshup:ports.echo: 8100 is the port of httpbin already"],
    [
      "a target of two kinds",
      { filters: [{ ...filter, target: { route: "one", gateway: true } }] },
      "meshup:filters[0].target: exactly one of { route: NAME }, { workload: NAME }, { gateway: true }, { selector: { LABEL: VALUE } }",
    ],
    [
      "a filter without a module",
      { filters: [{ ...filter, module: undefined }] },
      "meshup:filters[0].module: a filter has either a module or a script (Lua)",
    ],
    [
      "a name that is no DNS label",
      { filters: [{ ...filter, name: "My_Filter" }] },
      "meshup:filters[0].name: a name has lower-case letters, digits and dashes (a DNS label)",
    ],
    [
      "a delivery that the mesh does not have",
      { filters: [{ ...filter, delivery: "image" }] },
      "meshup:filters[0].delivery: standalone cannot deliver by image; it can by file",
    ],
    [
      "a mesh without its cluster",
      { mesh: "envoy-gateway" },
      "meshup:mesh: envoy-gateway needs a cluster: meshup:cluster: kind",
    ],
    [
      "a failure policy that the mesh does not have",
      { cluster: "kind", mesh: "envoy-gateway", filters: [{ ...filter, failure: "reload" }] },
      "meshup:filters[0].failure: envoy-gateway cannot reload; it can open, close",
    ],
    [
      "a script delivered as an image",
      {
        cluster: "kind",
        mesh: "envoy-gateway",
        filters: [{ ...filter, module: undefined, script: "./a.lua", delivery: "image", expect: {} }],
      },
      "meshup:filters[0].delivery: a script is delivered by lua",
    ],
    [
      "a proof that is no regular expression",
      { filters: [{ ...filter, expect: { "x-a": "/(/" } }] },
      "meshup:filters[0].expect.x-a: Invalid regular expression: /(/: Unterminated group",
    ],
    [
      "a script without a proof",
      { cluster: "kind", mesh: "envoy-gateway", filters: [{ ...filter, module: undefined, script: "./a.lua" }] },
      "meshup:filters[0].expect: a script needs it: the response headers that prove that it runs",
    ],
    [
      "a failure policy that Envoy does not have for scripts",
      {
        cluster: "kind",
        mesh: "envoy-gateway",
        filters: [{ ...filter, module: undefined, script: "./a.lua", expect: { a: "b" }, failure: "close" }],
      },
      "meshup:filters[0].failure: Envoy lets every request pass that a script fails on: open, or leave it out",
    ],
    ...["plain text", "{a: 1}", ""].map((config): [string, Record<string, unknown>, string] => [
      `a configuration that Envoy Gateway would hand on in quotes: ${JSON.stringify(config)}`,
      { cluster: "kind", mesh: "envoy-gateway", filters: [{ ...filter, config }] },
      "meshup:filters[0].config: envoy-gateway hands a filter's configuration on as JSON only: write an object, or text that is JSON",
    ]),
    [
      "bounds the wrong way round",
      { load: { minReplicas: 3, maxReplicas: 2 } },
      "meshup:load.maxReplicas: 2 is below minReplicas 3",
    ],
    ["routes that are text", { routes: "one" }, "meshup:routes: expected array, received string"],
  ])("%s", (_name, values, message) => {
    expect(problems(values)).toEqual(["Pulumi.local.yaml has a problem:", message]);
  });

  it("gives the registry a name that everybody speaks plain HTTP to", () => {
    const inCluster = { cluster: "kind", mesh: "envoy-gateway" };
    expect(settingsOf(read(inCluster)).registryHost).toBe("registry.localhost");
    expect(settingsOf(read({ ...inCluster, kind: { registryHost: "two.localhost" } })).registryHost).toBe(
      "two.localhost",
    );
    for (const registryHost of ["registry.local", "localhost", "a b.localhost", "registry.localhost:5000"])
      expect(problems({ ...inCluster, kind: { registryHost } })[1]).toMatch(
        /^meshup:kind.registryHost: a name such as/,
      );
  });

  it("fails closed where nothing else is said, but for a script, which Envoy cannot", () => {
    const script = { ...filter, name: "lua", module: undefined, script: "./a.lua", expect: { a: "b" } };
    const config = read({ cluster: "kind", mesh: "envoy-gateway", filters: [filter, script] });
    expect(config.filters.map((f) => f.failure)).toEqual(["close", "open"]);
  });

  it.each(['{"a": 1}', "[1]", '"text"'])("takes a configuration for Envoy Gateway that is JSON: %s", (config) => {
    expect(read({ cluster: "kind", mesh: "envoy-gateway", filters: [{ ...filter, config }] }).filters).toHaveLength(1);
  });

  it("without anything says what is missing", () => {
    expect(() => parseConfig({}, "mine")).toThrow(
      /Pulumi\.mine\.yaml[\s\S]*meshup:mesh[\s\S]*meshup:routes: is missing; expected array/,
    );
  });
});

describe("what only another mesh or another cluster knows", () => {
  const elsewhere = {
    istio: { gateway: "helm" },
    filters: [filter, { ...filter, name: "other", istio: { priority: 1 } }],
  };

  it.each(["standalone", "envoy-gateway"])("is told by key: %s", (mesh) => {
    const cluster = mesh === "standalone" ? "local" : "kind";
    expect(problems({ mesh, cluster, ...elsewhere }).slice(1)).toEqual([
      `meshup:istio: means nothing to ${mesh}`,
      `meshup:filters[1].istio: means nothing to ${mesh}`,
    ]);
  });

  it("is told beside whatever else is wrong", () => {
    const found = problems({ ...elsewhere, kind: {}, concurrency: 0 });
    for (const key of ["istio", "filters[1].istio", "kind", "concurrency"])
      expect(found).toContainEqual(expect.stringContaining(`meshup:${key}: `));
    expect(found).toContain("meshup:kind: means nothing where meshup:cluster is local");
  });

  it("is taken by the one that knows it", () => {
    expect(read({ mesh: "istio", cluster: "kind", kind: { gatewayPort: 30001 }, ...elsewhere }).mesh).toBe("istio");
  });
});

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

describe("a registry elsewhere", () => {
  const inCluster = { cluster: "kind", mesh: "envoy-gateway" };
  const registry = { address: "private.localhost:5000", push: "localhost:5003", username: "me" };
  const encoded = (values: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(encode({ ...inCluster, routes: [route], ...values })).map(([key, v]) => [`meshup:${key}`, v]),
    );

  it("has an address, and perhaps another one to push to, a username and a password", () => {
    const config = readConfig(encoded({ registry, registryPassword: "hunter2" }), "dev");
    expect(config.registry).toEqual(registry);
    expect(read({ ...inCluster, registry: { address: "ghcr.io/me" } }).registry).toEqual({ address: "ghcr.io/me" });
  });

  it.each(["hunter2", "12345", '{"a":1}', "false"])("keeps its password out of the configuration: %s", (password) => {
    const config = readConfig(encoded({ registry, registryPassword: password }), "dev");
    expect(config.registryPassword).toBe(true);
    expect(JSON.stringify(config)).not.toContain(`"${password}"`);
  });

  it("keeps its password out of error messages, whatever else is wrong", () => {
    const values = encoded({ registry: { adress: "x" }, registryPassword: "hunter2", filters: 1, mesh: "m" });
    expect(() => readConfig(values, "dev")).toThrow(/adress/);
    expect(String(caught(() => readConfig(values, "dev")))).not.toContain("hunter2");
  });

  it("has a username and a password, or neither", () => {
    const command = "`pulumi config set --secret meshup:registryPassword`";
    const missing = `meshup:registryPassword: is missing; set the password of me: ${command}`;
    expect(problems({ ...inCluster, registry })).toContain(missing);
    expect(String(caught(() => readConfig(encoded({ registry, registryPassword: "" }), "dev")))).toContain(missing);
    expect(problems({ ...inCluster, registry: { address: "a.b" }, registryPassword: true })).toContain(
      "meshup:registry.username: is missing; whose password is meshup:registryPassword?",
    );
    expect(problems({ ...inCluster, registryPassword: true })).toContain(
      "meshup:registry: is missing; which registry is meshup:registryPassword for?",
    );
  });

  it.each(["docker.io", "docker.io/me/filters", "index.docker.io/me/filters"])(
    "is no place on Docker Hub: %s",
    (address) => {
      expect(problems({ ...inCluster, registry: { address } })).toContain(
        "meshup:registry.address: Docker Hub has an account and, below it, repositories, no deeper: docker.io/YOUR-ACCOUNT",
      );
      expect(read({ ...inCluster, registry: { address: "docker.io/me" } }).registry?.address).toBe("docker.io/me");
    },
  );

  it.each(["localhost", "localhost:5003", "registry:5000", "10.0.0.1:5000", "registry.example.com", "ghcr.io/me/a_b"])(
    "may be at %s",
    (address) => {
      expect(read({ ...inCluster, registry: { address, push: address } }).registry?.address).toBe(address);
    },
  );

  it.each([
    "https://a.b",
    "http://localhost:5000",
    "a.b/",
    "registry",
    "me/filters",
    "a.b:x",
    "A.b",
    "me@a.b",
    "a.b:5/x:1",
  ])("cannot be at %s", (address) => {
    const expected = "a host, perhaps with a port and a path";
    expect(problems({ ...inCluster, registry: { address } })[1]).toContain(`meshup:registry.address: ${expected}`);
    expect(problems({ ...inCluster, registry: { address: "a.b", push: address } })[1]).toContain(
      `meshup:registry.push: ${expected}`,
    );
  });

  it("is of no use to a mesh without images", () => {
    expect(problems({ registry: { address: "a.b" } })).toContain(
      "meshup:registry: standalone pulls no images, and has no use for a registry",
    );
  });

  it("is of use to every mesh where a module comes from one", () => {
    const filters = [{ name: "f", module: `oci://a.b/f@sha256:${"0".repeat(64)}`, target: { gateway: true } }];
    expect(problems({ registry: { address: "a.b", username: "me" }, registryPassword: true, filters })).toEqual([]);
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
