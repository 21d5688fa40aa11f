import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Route } from "../../config/route.ts";
import { type Backend, type BackendRoute, type UrlAddress, withBackends } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { targets } from "../targets.ts";
import { wasmFilter } from "../wasm-filter.ts";
import { cluster, listener } from "./envoy.ts";

const declared: Route[] = [
  { name: "one", path: "/one", workload: "httpbin", rewrite: true },
  { name: "deep", path: "/one/deep", workload: "echo", rewrite: true },
  { name: "dotted", path: "/v1.0", workload: "httpbin", rewrite: true },
];
const routes = withBackends(declared, demoInCluster("default"));

// biome-ignore lint/suspicious/noExplicitAny: the test walks through Envoy's JSON
const manager = (l: any) => l.filter_chains[0].filters[0].typed_config;
const make = (filters: Parameters<typeof listener>[0]["filters"]) =>
  manager(listener({ directory: "/x", port: 10000, routes, filters }));
const listenerOf = (routes: BackendRoute[]) => listener({ directory: "/x", port: 10000, routes, filters: [] });
const routeOf = (m: ReturnType<typeof manager>, name: string) =>
  m.route_config.virtual_hosts[0].routes.find((r: { name: string }) => r.name === name);

describe("the listener", () => {
  it("tries the longer path first, whatever the order of declaration", () => {
    const names = make([]).route_config.virtual_hosts[0].routes.map((r: { name: string }) => r.name);
    expect(names.indexOf("deep")).toBeLessThan(names.indexOf("one"));
  });

  it.each([
    ["one", "/one", "/"],
    ["one", "/one/", "/"],
    ["one", "/one/get", "/get"],
    ["dotted", "/v1.0/get", "/get"],
    ["dotted", "/v1x0/get", "/v1x0/get"], // its dot is a dot
  ])("route %s rewrites %s to %s", (name, path, rewritten) => {
    const { pattern, substitution } = routeOf(make([]), name).route.regex_rewrite;
    expect(path.replace(new RegExp(pattern.regex), substitution)).toBe(rewritten);
  });

  it("keeps routes of one path apart by host; the route without one answers for all others", () => {
    const [one, deep, dotted] = routes as [BackendRoute, BackendRoute, BackendRoute];
    const { virtual_hosts } = manager(
      listenerOf([
        { ...dotted, path: "/" },
        { ...one, path: "/", host: "a.example.com" },
        { ...deep, path: "/", host: "b.example.com" },
      ]),
    ).route_config;
    const led = virtual_hosts.map(({ domains, routes }: { domains: string[]; routes: { name: string }[] }) => [
      domains,
      routes.map(({ name }) => name),
    ]);
    expect(led).toEqual([
      [["*"], ["dotted"]],
      [["a.example.com"], ["one"]],
      [["b.example.com"], ["deep"]],
    ]);
    const names = virtual_hosts.map(({ name }: { name: string }) => name);
    expect(new Set(names).size).toBe(3);
  });

  it("takes all paths for the route of /", () => {
    const all = routeOf(manager(listenerOf([{ ...(routes[0] as BackendRoute), path: "/" }])), "one");
    expect(all.match).toEqual({ prefix: "/" });
    const { pattern, substitution } = all.route.regex_rewrite;
    expect("/get".replace(new RegExp(pattern.regex), substitution)).toBe("/get");
  });

  it.each([
    ["/one", "/one", "/v1"],
    ["/one", "/one/", "/v1/"],
    ["/one", "/one/get", "/v1/get"],
    ["/", "/get", "/v1/get"],
  ])("the path of a URL goes before the rest: route %s, %s → %s", (path, asked, sent) => {
    const backend: Backend = { name: "api", at: { type: "url", host: "a.b", port: 80, path: "/v1", http: 1 } };
    const made = routeOf(manager(listenerOf([{ name: "one", path, rewrite: true, backend }])), "one");
    const { pattern, substitution } = made.route.regex_rewrite;
    expect(asked.replace(new RegExp(pattern.regex), substitution.replace("\\1", "$1"))).toBe(sent);
    expect(made.route).not.toHaveProperty("host_rewrite_literal");
  });

  it("lets upgrades, silent streams and endless responses pass, and sends a URL the Host that it wants", () => {
    const at = { type: "url", host: "a.b", port: 443, path: "", authority: "a.b", http: 1 } as const;
    const made = manager(listenerOf([{ name: "one", path: "/one", rewrite: true, backend: { name: "api", at } }]));
    expect(made).toMatchObject({ stream_idle_timeout: "0s", upgrade_configs: [{ upgrade_type: "websocket" }] });
    expect(routeOf(made, "one").route).toMatchObject({ timeout: "0s", host_rewrite_literal: "a.b" });
  });

  it("has every filter in its chain, off, and on for the routes that it targets", () => {
    const m = make([
      { name: "a", target: { route: "one" } },
      { name: "b", target: { workload: "httpbin" } },
      { name: "c", target: { gateway: true } },
    ]);
    expect(m.http_filters.map((f: { name: string; disabled?: boolean }) => [f.name, f.disabled])).toEqual([
      ["a", true],
      ["b", true],
      ["c", true],
      ["envoy.filters.http.router", undefined],
    ]);
    const on = (name: string) => Object.keys(routeOf(m, name).typed_per_filter_config);
    expect(on("one")).toEqual(["a", "b", "c"]);
    expect(on("deep")).toEqual(["c"]);
    expect(on("dotted")).toEqual(["b", "c"]);
  });
});

it("a target matches just what it names", () => {
  fc.assert(
    fc.property(fc.constantFrom(...routes), fc.constantFrom(...routes), (route, other) => {
      expect(targets({ route: route.name }, other)).toBe(route === other);
      expect(targets({ workload: route.backend.name }, other)).toBe(route.backend.name === other.backend.name);
      expect(targets({ gateway: true }, other)).toBe(true);
    }),
  );
});

describe("a Wasm filter", () => {
  const args = { name: "f", rootId: "r", digest: "d1", file: "/m/d1.wasm", failure: "open" } as const;
  const config = (a: Parameters<typeof wasmFilter>[0]) =>
    (wasmFilter(a).typed_config as { config: Record<string, unknown> & { vm_config: { vm_id: string } } }).config;

  it("has a VM of its own for each content and for each filter", () => {
    const ids = [args, { ...args, digest: "d2" }, { ...args, name: "g" }].map((a) => config(a).vm_config.vm_id);
    expect(new Set(ids).size).toBe(3);
  });

  it("keeps its VM when only the configuration changes", () => {
    expect(config({ ...args, configuration: "{}" }).vm_config).toEqual(config(args).vm_config);
  });

  it("has no configuration where none was given, which is not the same as an empty one", () => {
    expect(config(args)).not.toHaveProperty("configuration");
    expect(config({ ...args, configuration: "" })).toHaveProperty("configuration.value", "");
  });

  it.each([
    ["open", { fail_open: true }],
    ["close", { failure_policy: "FAIL_CLOSED" }],
    ["reload", { failure_policy: "FAIL_RELOAD" }],
  ] as const)("failure %s is %j", (failure, policy) => {
    expect(config({ ...args, failure })).toMatchObject(policy);
  });
});

describe("a backend as a cluster", () => {
  const url = { type: "url", host: "api.example.com", port: 443, path: "", http: 1 } as const;
  // biome-ignore lint/suspicious/noExplicitAny: the test walks through Envoy's JSON
  const made = (at: Backend["at"]): any => cluster({ name: "api", at }, "/system.crt");

  it("by its address, or by its name, of which IPv4 is taken first", () => {
    expect(made({ ...url, host: "127.0.0.1" })).toMatchObject({ type: "STATIC" });
    expect(made({ ...url, host: "127.0.0.1" })).not.toHaveProperty("dns_lookup_family");
    expect(made(url)).toMatchObject({ type: "STRICT_DNS", dns_lookup_family: "V4_PREFERRED" });
  });

  it("whose certificate has to be for its name, and signed by the system's authorities or by its own", () => {
    const context = (tls: UrlAddress["tls"]) => made({ ...url, tls }).transport_socket.typed_config;
    const system = context({ serverName: "api.example.com" });
    expect(system.sni).toBe("api.example.com");
    expect(system.common_tls_context.validation_context).toEqual({
      trusted_ca: { filename: "/system.crt" },
      match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "api.example.com" } }],
    });
    const own = context({ serverName: "10.0.0.1", authorities: "PEM" });
    expect(own).not.toHaveProperty("sni");
    expect(own.common_tls_context.validation_context).toEqual({
      trusted_ca: { inline_string: "PEM" },
      match_typed_subject_alt_names: [{ san_type: "IP_ADDRESS", matcher: { exact: "10.0.0.1" } }],
    });
  });

  it("in the protocol that it speaks", () => {
    const options = (http: UrlAddress["http"]) =>
      made({ ...url, http }).typed_extension_protocol_options?.[
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
      ];
    expect(options(1)).toBeUndefined();
    expect(options(2)).toMatchObject({ explicit_http_config: { http2_protocol_options: {} } });
    expect(Object.keys(options("both").use_downstream_protocol_config)).toHaveLength(2);
  });
});
