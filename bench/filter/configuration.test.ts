import { expect, it } from "vitest";
import type { HttpFilter } from "./arms.ts";
import { benchListener, chainListener, heldPath, slowCluster } from "./configuration.ts";

const arm = { name: "lua", filter: (place: number): HttpFilter => ({ name: `lua-${place}`, typed_config: { place } }) };

interface Manager {
  http_filters: HttpFilter[];
  route_config: { virtual_hosts: { routes: { match: object; route?: object; direct_response?: object }[] }[] };
}
const manager = (listener: object) =>
  (listener as { filter_chains: { filters: { typed_config: Manager }[] }[] }).filter_chains[0]?.filters[0]
    ?.typed_config as Manager;

it("a chain has the filter so many times, each in a place of its own, and the router last", () => {
  const listener = chainListener(arm, 4);
  expect(listener.name).toBe("lua-4");
  const names = manager(listener).http_filters.map(({ name }) => name);
  expect(names).toEqual(["lua-1", "lua-2", "lua-3", "lua-4", "envoy.filters.http.router"]);
});

it("places of equal number are the same filter in every chain", () => {
  const [short, long] = [chainListener(arm, 1), chainListener(arm, 16)].map((one) => manager(one).http_filters[0]);
  expect(short).toEqual(long);
});

it("listens on loopback alone, on a port that Envoy picks", () => {
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  expect(benchListener("none-0", [])).toMatchObject({ name: "none-0", address });
});

it("answers by itself, but for the path that is held open as long as it takes", () => {
  const [held, rest, ...more] = manager(chainListener(arm, 1)).route_config.virtual_hosts[0]?.routes ?? [];
  expect(held).toEqual({ match: { path: heldPath }, route: { cluster: slowCluster, timeout: "0s" } });
  expect(rest).toMatchObject({ match: { prefix: "/" }, direct_response: { status: 200 } });
  expect(more).toEqual([]);
});

it("names no cluster where nothing is held", () => {
  expect(JSON.stringify(benchListener("soak", []))).not.toContain("cluster");
});
