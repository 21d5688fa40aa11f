/** A URL that is to be a workload: whether it answers from here, and what it speaks. */
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { resolve } from "node:path";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import { messageOf, UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import type { HttpVersions, UrlAddress } from "./backend.ts";
import { hostOf, isLoopback } from "./checks.ts";
import type { Declaration } from "./declared.ts";

const connectTimeoutMs = 5_000;
/** Milliseconds that a server has to say whether it speaks HTTP/2. One that says nothing does not. */
const speakTimeoutMs = 1_000;

/** An error of one of the declaration's keys. */
export class KeyError extends UserError {
  readonly key: string;

  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}

/** @throws KeyError what is wrong with it */
export async function reach(declaration: Declaration<"url">): Promise<UrlAddress> {
  const { url, ca, sni, host: authority } = declaration;
  const { protocol, port: written, host: hostAndPort, pathname } = new URL(url);
  const tls = protocol === "https:";
  const name = hostOf(url);
  const port = Number(written || (tls ? 443 : 80));
  const host = await answering(url, candidates(name), port);
  const serverName = sni ?? name;
  const authorities = ca === undefined ? undefined : readAuthorities(ca);
  const own = isLoopback(url) ? undefined : hostAndPort;
  return {
    type: "url",
    host,
    port,
    path: pathname.replace(/\/$/, ""),
    authority: authority ?? own,
    ...(tls && { tls: { serverName, authorities } }),
    http: tls ? await spokenInTls({ host, port, serverName, authorities }) : await spokenPlainly({ host, port }),
  };
}

/** `localhost` may be either; a proxy might ask the wrong one. */
function candidates(host: string): string[] {
  return host === "localhost" || host.endsWith(".localhost") ? ["127.0.0.1", "::1"] : [host];
}

async function answering(url: string, hosts: string[], port: number): Promise<string> {
  const failures: string[] = [];
  for (const host of hosts)
    try {
      (await connected(connect({ host, port, autoSelectFamily: true }), "connect")).destroy();
      return host;
    } catch (error) {
      failures.push(messageOf(error));
    }
  throw new KeyError("url", `nobody answers at ${url} (${failures.join("; ")}): start it, or name where it is`);
}

function readAuthorities(path: string): string {
  const file = resolve(root, path);
  if (!existsSync(file)) throw new KeyError("ca", `${path}: there is no such file`);
  const text = readFileSync(file, "utf8");
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (certificates.length === 0) throw new Error("no certificate begins in it");
    return `${certificates.map((pem) => new X509Certificate(pem).toString().trim()).join("\n")}\n`;
  } catch (error) {
    throw new KeyError("ca", `${path} has no certificate of an authority in PEM (${messageOf(error)})`);
  }
}

interface TlsPlace {
  host: string;
  port: number;
  serverName: string;
  authorities?: string;
}

async function spokenInTls(place: TlsPlace): Promise<HttpVersions> {
  const first = await handshake(place, ["h2", "http/1.1"]);
  if (first.alpnProtocol !== "h2") return 1;
  return handshake(place, ["http/1.1"]).then(
    () => "both",
    (error) => {
      if (refuses(error.cause)) return 2;
      throw error; // it is busy, say: that tells nothing of what it speaks
    },
  );
}

/** By an alert of TLS, or by closing the connection. */
const refuses = ({ code = "" }: NodeJS.ErrnoException) => code.startsWith("ERR_SSL") || code === "ECONNRESET";

async function handshake(place: TlsPlace, protocols: string[]): Promise<{ alpnProtocol: string | false | null }> {
  const { host, port, serverName } = place;
  const socket = connectTls({
    host,
    port,
    ca: place.authorities ?? readFileSync(systemAuthorities()),
    ALPNProtocols: protocols,
    servername: isIP(serverName) ? "" : serverName, // an address is never asked for
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
  });
  try {
    const { alpnProtocol } = await connected<TLSSocket>(socket, "secureConnect");
    return { alpnProtocol };
  } catch (error) {
    throw Object.assign(tlsError(place, error as NodeJS.ErrnoException), { cause: error });
  } finally {
    socket.destroy();
  }
}

/** What Node's TLS says, in words of what a person can do. */
function tlsError(
  { host, port, serverName, authorities }: TlsPlace,
  error: NodeJS.ErrnoException & { reason?: string },
): KeyError {
  const { code = "", reason: message = error.message } = error;
  const at = `${host}:${port}`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new KeyError("sni", `the certificate of ${at} is not for ${serverName}: ${message}`);
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return new KeyError("url", `the certificate of ${at} is not valid now: ${message}`);
  if (/CERT|ISSUER|SIGNATURE|SIGNED/.test(code)) {
    const by = authorities === undefined ? "this system's authorities" : "the authorities of its `ca`";
    const todo = "`ca` names the file (PEM) of the authority that has signed it";
    return new KeyError(
      authorities === undefined ? "url" : "ca",
      `the certificate of ${at} is not trusted by ${by}: ${message}; ${todo}`,
    );
  }
  return new KeyError("url", `${at} does not speak TLS as it should: ${message}; plain HTTP is http://`);
}

/** Where this system keeps the certificate authorities that it trusts, as a file in PEM. */
export function systemAuthorities(): string {
  const { SSL_CERT_FILE } = process.env;
  const files = [
    ...(SSL_CERT_FILE ? [SSL_CERT_FILE] : []),
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
    "/etc/ssl/ca-bundle.pem", // openSUSE
    "/etc/ssl/cert.pem", // macOS
  ];
  const found = files.find((file) => existsSync(file));
  if (found) return found;
  throw new KeyError("ca", `this system has no file of certificate authorities (${files.join(", ")}): name one`);
}

/** The beginning of HTTP/2 (RFC 9113, 3.4) and an empty SETTINGS frame. */
const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

async function spokenPlainly(place: { host: string; port: number }): Promise<HttpVersions> {
  const isSettings = (answer: Buffer) => answer.length >= 9 && answer[3] === 4;
  if (!isSettings(await answerTo(place, preface, 9))) return 1;
  const options = `OPTIONS * HTTP/1.1\r\nhost: ${place.host}\r\nconnection: close\r\n\r\n`;
  const answer = await answerTo(place, Buffer.from(options), 7);
  return answer.toString("latin1").startsWith("HTTP/1.") ? "both" : 2;
}

/** What is answered to some bytes, until there are enough or nothing comes any more. */
function answerTo(place: { host: string; port: number }, bytes: Buffer, enough: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(place);
    const end = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks));
    };
    socket.setTimeout(speakTimeoutMs, end);
    socket.on("error", end).on("close", end);
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (Buffer.concat(chunks).length >= enough) end();
    });
    socket.write(bytes);
  });
}

function connected<T extends Socket>(socket: T, event: "connect" | "secureConnect"): Promise<T> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(connectTimeoutMs, () =>
      socket.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    );
    socket.once("error", reject);
    socket.once(event, () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
