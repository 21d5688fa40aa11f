import { expect, it } from "vitest";
import { proofRequest } from "../../proof/request.ts";
import type { Backend, BackendRoute } from "../workloads/backend.ts";
import { requestFor } from "./targets.ts";

const here: Backend = { name: "app", at: { type: "url", host: "127.0.0.1", port: 3000, path: "", http: 1 } };
const api: Backend = {
  name: "api",
  at: { type: "url", host: "api.example.com", port: 443, path: "/v1", authority: "api.example.com", http: "both" },
};
const one: BackendRoute = { name: "one", path: "/one", rewrite: true, backend: here };

const ask = (route: Partial<BackendRoute>, request: Parameters<typeof proofRequest>[0] = {}) =>
  requestFor({ gateway: true }, "http://localhost:10000", [{ ...one, ...route }], proofRequest(request));

it.each([
  ["nothing more", {}, {}, "/one", "/"],
  ["a path", {}, { path: "/get?x=1" }, "/one/get?x=1", "/get?x=1"],
  ["a query alone", {}, { path: "?x=1" }, "/one?x=1", "/?x=1"],
  ["the route's path with a slash", {}, { path: "/" }, "/one/", "/"],
  ["on a route that rewrites nothing", { rewrite: false }, { path: "/get" }, "/one/get", "/one/get"],
  ["on a deep route", { path: "/a/b" }, { path: "/get" }, "/a/b/get", "/get"],
  ["on the root", { path: "/" }, { path: "/get" }, "/get", "/get"],
  ["on the root, nothing more", { path: "/" }, {}, "/", "/"],
  ["below a URL's path", { backend: api }, { path: "/get" }, "/one/get", "/v1/get"],
  ["below a URL's path, nothing more", { backend: api }, {}, "/one", "/v1"],
])("a request for %s goes through the gateway, and straight", (_what, route, request, path, straight) => {
  const sent = ask(route, request);
  expect(sent?.url).toBe(`http://localhost:10000${path}`);
  expect(sent?.straight.path).toBe(straight);
});

it("has the route's host, and its own headers", () => {
  const sent = ask({ host: "www.example.com" }, { method: "PUT", headers: { "X-A": "1" }, body: "text" });
  expect(sent).toMatchObject({ method: "PUT", headers: { host: "www.example.com", "x-a": "1" }, body: "text" });
  expect(sent?.straight.host).toBe("www.example.com");
  expect(ask({ host: "www.example.com" }, { headers: { Host: "other.example.com" } })?.headers.host).toBe(
    "other.example.com",
  );
  expect(ask({ backend: api, host: "www.example.com" })?.straight.host).toBe("api.example.com");
  expect(ask({})?.straight.host).toBe("localhost");
});

it("goes to the first route that the filter works on, or nowhere", () => {
  const two = { ...one, name: "two", path: "/two", backend: api };
  const to = (target: Parameters<typeof requestFor>[0]) => requestFor(target, "", [one, two], proofRequest())?.url;
  expect([to({ gateway: true }), to({ route: "two" }), to({ workload: "api" })]).toEqual(["/one", "/two", "/two"]);
  expect(to({ selector: { app: "other" } })).toBeUndefined();
});
