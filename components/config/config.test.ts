import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { root } from "../../lib/paths.ts";
import { settingsOf } from "../cluster/kind/schema.ts";
import { workloadNames } from "../workloads/declared.ts";
import { parseConfig, readConfig } from "./config.ts";
import { encode, filter, problems, read, route } from "./testing/config.ts";

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

  it("takes one path for each host, and for all others", () => {
    const hosts = ["a.example.com", "b.example.com", undefined];
    const routes = hosts.map((host, i) => ({ ...route, name: `r${i}`, path: "/", host }));
    expect(read({ routes }).routes.map(({ host }) => host)).toEqual(hosts);
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
    [
      "two routes of one host and path",
      { routes: ["a", "b", "a"].map((host, i) => ({ ...route, name: `r${i}`, host: `${host}.example.com` })) },
      'meshup:routes[2].path: "/one" of "a.example.com" is taken by routes[0]',
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
