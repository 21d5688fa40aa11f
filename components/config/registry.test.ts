import { describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { caught, encode, problems, read, route } from "./testing/config.ts";

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
