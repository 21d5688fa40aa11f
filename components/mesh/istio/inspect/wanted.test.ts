import { expect, test } from "vitest";
import { elsewhere } from "./wanted.ts";

const filter = (namespace: string, app: string) => ({ namespace, selector: { app }, envoyName: app, digest: "d" });

test("filters in sidecars of other namespaces: each place once, and not the stack's own", () => {
  const filters = {
    a: filter("default", "httpbin"),
    b: filter("istio-ingress", "gateway"),
    c: filter("shop", "cart"),
    d: filter("shop", "cart"),
    e: filter("shop", "stock"),
  };
  expect(elsewhere({ proxies: { filters } })).toEqual([
    { namespace: "shop", selector: { app: "cart" } },
    { namespace: "shop", selector: { app: "stock" } },
  ]);
});

test("a stack that an older version has brought up tells of none", () => {
  expect(elsewhere({ proxies: undefined })).toEqual([]);
});
