import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type Backend, describeBackends, onThisMachine } from "../../components/workloads/backend.ts";
import { freePort } from "../../test/ports.ts";
import { urlStatus, workloadOutputs } from "./workloads.ts";

const url = (name: string, host: string, port: number, more = {}): Backend => {
  return { name, at: { type: "url", host, port, path: "", http: 1, ...more } };
};

test("workloads are told by their addresses, and others' pods by how they are found", () => {
  const at = { type: "service", namespace: "shop", service: "cart", port: 80, http: 1 } as const;
  const pods = { namespace: "shop", selector: { app: "cart" }, labels: {}, containers: ["cart", "istio-proxy"] };
  expect(
    describeBackends([
      onThisMachine("web", 3000),
      url("api", "api.example.com", 443, { path: "/v1", tls: { serverName: "a.b" } }),
      url("six", "::1", 80),
      { name: "cart", at, pods },
      { name: "bare", at },
    ]),
  ).toEqual({
    web: { address: "http://127.0.0.1:3000" },
    api: { address: "https://api.example.com:443/v1" },
    six: { address: "http://[::1]:80" },
    cart: { address: "shop/cart:80", pods: { namespace: "shop", selector: { app: "cart" }, container: "cart" } },
    bare: { address: "shop/cart:80" },
  });
});

test("URLs are looked at, and the stack's own processes and Services are not", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const gone = await freePort();
  const workloads = describeBackends([
    url("there", "127.0.0.1", port),
    url("gone", "127.0.0.1", gone),
    onThisMachine("web", gone),
    { name: "cart", at: { type: "service", namespace: "shop", service: "cart", port: 80, http: 1 } },
  ]);
  expect(await urlStatus({ workloads }, ["web"])).toEqual([
    { name: "there", address: `http://127.0.0.1:${port}` },
    { name: "gone", address: `http://127.0.0.1:${gone}`, problem: expect.stringContaining("ECONNREFUSED") },
  ]);
});

test("a stack that an earlier version has brought up tells of none", () => {
  expect(workloadOutputs({})).toEqual({});
});
