import { expect, it } from "vitest";
import { proxyEnvironment } from "./proxies.ts";

const registries = ["registry.localhost", "c-registry"];
const proxy = "http://proxy.example.com:3128";

it.each([
  [{}, {}, {}],
  [{ https_proxy: proxy }, {}, { https_proxy: "", HTTPS_PROXY: proxy, NO_PROXY: "registry.localhost,c-registry" }],
  [
    { HTTP_PROXY: proxy, no_proxy: "a.example, .b.example" },
    {},
    { HTTP_PROXY: proxy, no_proxy: "", NO_PROXY: "a.example,.b.example,registry.localhost,c-registry" },
  ],
  // What the docker client would give to the node without the node's own networks.
  [
    {},
    { proxies: { default: { httpProxy: proxy, httpsProxy: proxy, noProxy: "a.example" } } },
    { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: "a.example,registry.localhost,c-registry" },
  ],
  [
    { DOCKER_HOST: "tcp://d:1" },
    { proxies: { default: { httpProxy: "http://other:1" }, "tcp://d:1": { httpProxy: proxy } } },
    { HTTP_PROXY: proxy, NO_PROXY: "registry.localhost,c-registry" },
  ],
  // This machine's own is another one's loopback in the node.
  [
    { https_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://me:secret@localhost", no_proxy: "a" },
    {},
    { https_proxy: "", HTTP_PROXY: "", no_proxy: "" },
  ],
  [{ NO_PROXY: "a", PATH: "/bin" }, {}, { NO_PROXY: "" }],
  [{ http_proxy: proxy, NO_PROXY: "*" }, {}, { http_proxy: "", HTTP_PROXY: proxy, NO_PROXY: "*" }],
])("%j with Docker's %j: %j", (env, docker, expected) => {
  expect(proxyEnvironment(env, registries, docker)).toEqual(expected);
});
