import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttp2, createSecureServer } from "node:http2";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { scratch } from "../../provider/testing/scratch.ts";
import { createCertificate } from "../../services/testing/certificate.ts";
import { freePort } from "../../test/ports.ts";
import { type KeyError, reach, systemAuthorities } from "./reach.ts";

const answer: RequestListener = (_request, response) => void response.end("ok");

async function serve(server: Server, host = "127.0.0.1"): Promise<number> {
  server.listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** As it is declared, by its keys. */
const look = (url: string, more: { ca?: string; sni?: string; host?: string } = {}) =>
  reach({ kind: "url", url, ...more });

async function refusal(looking: Promise<unknown>): Promise<string> {
  const error = await looking.then(
    (found) => expect.fail(`it was taken: ${JSON.stringify(found)}`),
    (error: KeyError) => error,
  );
  return `${error.key}: ${error.message}`;
}

/** A file of an authority, and what it has signed. */
function authority(host?: string) {
  const certificate = createCertificate("test", host);
  const file = join(scratch(), "ca.pem");
  writeFileSync(file, certificate.cert);
  return { ...certificate, file };
}

describe("an address that answers", () => {
  test("with HTTP/1 alone", async () => {
    const port = await serve(createHttp(answer));
    expect(await look(`http://127.0.0.1:${port}`)).toEqual({
      type: "url",
      host: "127.0.0.1",
      port,
      path: "",
      authority: undefined,
      http: 1,
    });
  });

  test("with HTTP/2 in plain text alone, as servers of gRPC do", async () => {
    const port = await serve(createHttp2());
    expect((await look(`http://127.0.0.1:${port}`)).http).toBe(2);
  });

  test("with both, which is found by what it says to the beginning of HTTP/2", async () => {
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const either = createServer((socket) =>
      socket.once("data", (data) =>
        socket.end(data.toString().startsWith("PRI") ? settings : "HTTP/1.1 200 OK\r\n\r\n"),
      ),
    );
    expect((await look(`http://127.0.0.1:${await serve(either)}`)).http).toBe("both");
  });

  test("and says nothing before it is asked in its own way: HTTP/1", async () => {
    const silent = createServer((socket) => void socket.on("error", () => {}));
    expect((await look(`http://127.0.0.1:${await serve(silent)}`)).http).toBe(1);
  });

  test("localhost is where somebody listens: 127.0.0.1, or ::1", async () => {
    const port = await serve(createHttp(answer));
    expect(await look(`http://localhost:${port}`)).toMatchObject({ host: "127.0.0.1", authority: undefined });
    const other = await serve(createHttp(answer), "::1").catch(() => undefined);
    if (other === undefined) return; // a machine without IPv6
    expect((await look(`http://localhost:${other}`)).host).toBe("::1");
  });

  test("a path of its own, and the Host header that is asked for", async () => {
    const port = await serve(createHttp(answer));
    expect(await look(`http://127.0.0.1:${port}/v1/`, { host: "api.example.com" })).toMatchObject({
      path: "/v1",
      authority: "api.example.com",
    });
  });
});

describe("https", () => {
  test("with an authority of one's own, whose text goes to the proxy; the name is the address's", async () => {
    const { key, cert, file } = authority();
    const port = await serve(createHttps({ key, cert }, answer));
    const found = await look(`https://127.0.0.1:${port}`, { ca: file });
    expect(found).toMatchObject({ tls: { serverName: "127.0.0.1" }, http: 1 });
    expect(found.tls?.authorities).toBe(cert);
  });

  test("with another name in TLS", async () => {
    const { key, cert, file } = authority("api.example.com");
    const port = await serve(createHttps({ key, cert }, answer));
    const found = await look(`https://127.0.0.1:${port}`, { ca: file, sni: "api.example.com" });
    expect(found.tls?.serverName).toBe("api.example.com");
  });

  test.each([
    ["both", true],
    [2, false],
  ])("HTTP/2: %s, where HTTP/1 is allowed: %s", async (http, allowHTTP1) => {
    const { key, cert, file } = authority();
    const port = await serve(createSecureServer({ key, cert, allowHTTP1 }));
    expect((await look(`https://127.0.0.1:${port}`, { ca: file })).http).toBe(http);
  });

  test("a certificate that nobody trusts: whose trust is missing, and what would be right", async () => {
    const { key, cert } = authority();
    const port = await serve(createHttps({ key, cert }, answer));
    expect(await refusal(look(`https://127.0.0.1:${port}`))).toMatch(
      /^url: the certificate of 127\.0\.0\.1:\d+ is not trusted by this system's authorities: self-signed certificate; `ca` names/,
    );
    expect(await refusal(look(`https://127.0.0.1:${port}`, { ca: authority().file }))).toMatch(
      /^ca: .* is not trusted by the authorities of its `ca`/,
    );
  });

  test("a certificate for another name", async () => {
    const { key, cert, file } = authority("other.example.com");
    const port = await serve(createHttps({ key, cert }, answer));
    expect(await refusal(look(`https://127.0.0.1:${port}`, { ca: file, sni: "api.example.com" }))).toMatch(
      /^sni: the certificate of 127\.0\.0\.1:\d+ is not for api\.example\.com: .*other\.example\.com/,
    );
  });

  test("a server that speaks no TLS", async () => {
    const { file } = authority();
    const port = await serve(createHttp(answer));
    expect(await refusal(look(`https://127.0.0.1:${port}`, { ca: file }))).toMatch(/^url: .* plain HTTP is http:\/\//);
  });

  test("a file of authorities that is not there, or is none", async () => {
    const port = await serve(createHttp(answer));
    expect(await refusal(look(`https://127.0.0.1:${port}`, { ca: "nowhere.pem" }))).toBe(
      "ca: nowhere.pem: there is no such file",
    );
    const { file } = authority();
    for (const text of ["text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
      writeFileSync(file, text);
      expect(await refusal(look(`https://127.0.0.1:${port}`, { ca: file }))).toMatch(/^ca: .* in PEM \(/);
    }
  });

  test("the system's authorities are a file; one that is named goes before it", () => {
    vi.stubEnv("SSL_CERT_FILE", import.meta.filename);
    expect(systemAuthorities()).toBe(import.meta.filename);
    vi.unstubAllEnvs();
  });
});

test("an address that nobody answers, or that is none", async () => {
  const port = await freePort();
  expect(await refusal(look(`http://localhost:${port}`))).toMatch(
    new RegExp(`^url: nobody answers at http://localhost:${port} \\(.*ECONNREFUSED 127\\.0\\.0\\.1:${port}`),
  );
  expect(await refusal(look("http://nowhere.invalid"))).toMatch(/^url: nobody answers at .*nowhere\.invalid/);
});
