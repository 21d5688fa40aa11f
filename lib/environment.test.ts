import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { scratch } from "../provider/testing/scratch.ts";
import { exceptions, keepLoopbackDirect, quietChildren, quietOptions } from "./environment.mjs";
import { exec } from "./exec.ts";

const ours = "localhost,127.0.0.1,::1";

describe("a proxy", () => {
  const settled = (env: Record<string, string>) => {
    const copy: Record<string, string | undefined> = { ...env };
    keepLoopbackDirect(copy);
    return copy;
  };

  it.each(["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "grpc_proxy"])(
    "in %s is kept, and not for loopback",
    (name) => {
      const proxy = "http://proxy.example.com:3128";
      const env = { no_proxy: ours, NO_PROXY: ours, no_grpc_proxy: ours };
      expect(settled({ [name]: proxy })).toEqual({ [name]: proxy, ...env });
    },
  );

  it.each([
    ["in small letters", { no_proxy: "a.example, .b.example" }, "a.example,.b.example"],
    ["in capitals", { NO_PROXY: "10.0.0.0/8 a.example" }, "10.0.0.0/8,a.example"],
    ["with an empty end", { no_proxy: "a.example,", NO_PROXY: "" }, "a.example"],
    ["with one of ours", { no_proxy: "127.0.0.1,a.example" }, undefined],
  ])("has exceptions %s, and they stay", (_what, env, listed) => {
    const { no_proxy, NO_PROXY, no_grpc_proxy } = settled({ http_proxy: "http://p:1", ...env });
    expect(no_proxy).toBe(listed === undefined ? "127.0.0.1,a.example,localhost,::1" : `${listed},${ours}`);
    expect(NO_PROXY).toBe(no_proxy);
    expect(no_grpc_proxy).toBe(ours);
  });

  it("has each spelling's own exceptions where there are two", () => {
    const { no_proxy, NO_PROXY } = settled({ http_proxy: "http://p:1", no_proxy: "a", NO_PROXY: "b" });
    expect([no_proxy, NO_PROXY]).toEqual([`a,${ours}`, `b,${ours}`]);
  });

  it("that is for nobody stays so, in the one form that everybody reads; gRPC for Node does not", () => {
    const { no_proxy, no_grpc_proxy } = settled({ http_proxy: "http://p:1", NO_PROXY: "a, *", no_grpc_proxy: "*" });
    expect([no_proxy, no_grpc_proxy]).toEqual(["*", ours]);
  });

  it("that there is not changes nothing", () => {
    expect(settled({ no_proxy: "a b", http_proxy: "" })).toEqual({ no_proxy: "a b", http_proxy: "" });
  });

  it("of another kind than gRPC knows is not complained of", () => {
    expect(settled({ https_proxy: "socks5://p:1" }).GRPC_VERBOSITY).toBe("NONE");
    expect(settled({ https_proxy: "socks5://p:1", GRPC_VERBOSITY: "DEBUG" }).GRPC_VERBOSITY).toBe("DEBUG");
  });

  it("lists hosts once", () => {
    expect(exceptions("a b", ["b", "c"])).toBe("a,b,c");
    expect(exceptions(undefined, ["b"])).toBe("b");
  });
});

/** gRPC for Node as the engine's client has it, through a proxy that counts who asks it. */
test.each([
  ["without exceptions", {}],
  ["with exceptions that gRPC does not read", { NO_PROXY: "127.0.0.1", no_proxy: "*" }],
  ["with an exception in blanks", { no_proxy: "a.example, 127.0.0.1" }],
  ["with its own exceptions", { no_grpc_proxy: "a.example" }],
])("gRPC reaches loopback past a proxy %s", async (_what, exceptions) => {
  let asked = 0;
  const proxy = createServer().on("connect", (_request, socket) => {
    asked++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const program = `
    import { keepLoopbackDirect } from ${JSON.stringify(String(new URL("environment.mjs", import.meta.url)))};
    import grpc from "@grpc/grpc-js";
    if (process.env.SETTLE) keepLoopbackDirect(process.env);
    const server = new grpc.Server();
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, port) => {
      const client = new grpc.Client("127.0.0.1:" + port, grpc.credentials.createInsecure());
      client.waitForReady(Date.now() + 3000, (error) => {
        console.log(error ? "none" : "reached");
        process.exit();
      });
    });`;
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const run = (env: NodeJS.ProcessEnv) =>
    exec(process.execPath, ["--input-type=module", "--eval", program], {
      env: { PATH: process.env.PATH, https_proxy: url, ...exceptions, ...env },
    });
  expect((await run({ SETTLE: "1" })).stdout).toBe("reached\n");
  expect(asked).toBe(0);
});

describe("Node's options for children", () => {
  it.each([
    ["--use-openssl-ca --max-old-space-size=4096", "--use-openssl-ca --max-old-space-size=4096"],
    ["--require ./hello.cjs --use-openssl-ca", "--use-openssl-ca"],
    ["-r ./hello.cjs", ""],
    ['--import="file:///a b/hello.mjs" --dns-result-order=ipv4first', "--dns-result-order=ipv4first"],
    ['--require "/a \\"b\\"/x.cjs" --no-warnings', "--no-warnings"],
    ["--inspect --inspect-brk=9230 --inspect-port 0", ""],
    ["--experimental-loader ./x.mjs --loader=./y.mjs --enable-source-maps", "--enable-source-maps"],
    ["--cpu-prof --cpu-prof-dir /tmp --heap-prof --trace-warnings --secure-heap=2", "--secure-heap=2"],
    ["--max-old-space-size 512", "--max-old-space-size 512"],
    ["", ""],
  ])("%j → %j", (text, quiet) => {
    expect(quietOptions(text)).toBe(quiet);
  });

  it("go with what else makes a program speak", () => {
    const env = {
      NODE_OPTIONS: "--require ./x.cjs",
      NODE_DEBUG: "http",
      NODE_V8_COVERAGE: "/tmp/c",
      FORCE_COLOR: "1",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
    };
    quietChildren(env);
    expect(env).toEqual({ NODE_EXTRA_CA_CERTS: "/ca.pem" });
  });

  it("are taken by Node as they are left, and nothing is preloaded", async () => {
    const preload = join(scratch(), "pre load.cjs");
    writeFileSync(preload, 'console.log("preloaded");');
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      NODE_OPTIONS: `--require "${preload}" --max-old-space-size=123 --inspect=0`,
    };
    quietChildren(env);
    const program = 'console.log(require("v8").getHeapStatistics().heap_size_limit < 300e6)';
    expect(await exec(process.execPath, ["-e", program], { env })).toMatchObject({ stdout: "true\n", stderr: "" });
  });
});
