/** A registry of a test's own: real HTTP, and what it holds is in its memory. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { Header } from "tar";
import { digestOf } from "../registry.ts";

export const artifactType = "application/vnd.module.wasm.content.layer.v1+wasm";
export const compatType = "application/vnd.oci.image.layer.v1.tar+gzip";
export const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Who may read: everybody, whom a password opens to (Basic), or whom a token opens to that a password gets (Bearer). */
export type Guard = "none" | "basic" | "bearer" | "open-bearer";

export class TestRegistry {
  readonly #server: Server;
  readonly #content = new Map<string, { bytes: Buffer; type: string }>();
  guard: Guard = "none";
  password = { username: "me", password: "hunter2" };
  /** What was asked for, with the credentials that came. */
  readonly requests: { path: string; authorization: string | undefined }[] = [];
  /** Blobs lie there, as at a large registry's storage. */
  blobsAt: string | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<TestRegistry> {
    const server = createServer();
    const registry = new TestRegistry(server);
    server.on("request", (request, response) => registry.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  /** `localhost:41234` */
  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  /** @returns its digest */
  blob(bytes: Uint8Array): string {
    const digest = digestOf(bytes);
    this.#content.set(`blobs/${digest}`, { bytes: Buffer.from(bytes), type: "application/octet-stream" });
    return digest;
  }

  /** @returns its digest */
  manifest(content: object, tag?: string, type = manifestType): string {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, ...content }));
    const digest = digestOf(bytes);
    for (const name of tag === undefined ? [digest] : [digest, tag])
      this.#content.set(`manifests/${name}`, { bytes, type });
    return digest;
  }

  /** An image with layers of these types. @returns its digest */
  image(layers: { mediaType: string; bytes: Uint8Array }[], tag?: string): string {
    const described = layers.map(({ mediaType, bytes }) => ({
      mediaType,
      digest: this.blob(bytes),
      size: bytes.length,
    }));
    return this.manifest({ layers: described }, tag);
  }

  /** As `FROM scratch`, `COPY plugin.wasm ./`. @returns its digest */
  compat(module: Uint8Array, tag?: string): string {
    return this.image([{ mediaType: compatType, bytes: gzipSync(archive({ "plugin.wasm": module })) }], tag);
  }

  /** Answers with other bytes than these from now on. @param path `manifests/DIGEST`, `blobs/DIGEST` */
  replace(path: string, bytes: Uint8Array): void {
    const before = this.#content.get(path);
    if (!before) throw new Error(`there is no ${path}`);
    this.#content.set(path, { ...before, bytes: Buffer.from(bytes) });
  }

  #answer({ url = "/", headers }: IncomingMessage, response: ServerResponse): unknown {
    const { authorization } = headers;
    this.requests.push({ path: url, authorization });
    const json = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const error = (status: number, code: string) => json(status, { errors: [{ code, message: "" }] });
    const basic = `Basic ${Buffer.from(`${this.password.username}:${this.password.password}`).toString("base64")}`;
    if (url.startsWith("/token")) {
      const isKnown = authorization === basic || (this.guard === "open-bearer" && authorization === undefined);
      return isKnown ? json(200, { token: `for ${url}` }) : error(401, "UNAUTHORIZED");
    }
    const [, repository, path = ""] = /^\/v2\/(.+?)\/((?:manifests|blobs)\/.+)$/.exec(url) ?? [];
    const token = `Bearer for /token?service=test&scope=repository%3A${encodeURIComponent(repository ?? "")}%3Apull`;
    const isAllowed = this.guard === "none" || authorization === (this.guard === "basic" ? basic : token);
    if (!isAllowed) {
      const bearer = `Bearer realm="http://${this.host}/token",service="test",scope="repository:${repository}:pull"`;
      response.setHeader("www-authenticate", this.guard === "basic" ? 'Basic realm="test"' : bearer);
      return error(401, "UNAUTHORIZED");
    }
    if (repository === "broken") return error(500, "UNKNOWN");
    if (repository !== "me/filter") return error(404, "NAME_UNKNOWN");
    if (this.blobsAt && path.startsWith("blobs/")) {
      response.writeHead(307, { location: `${this.blobsAt}/v2/${repository}/${path}` }).end();
      return;
    }
    const found = this.#content.get(path);
    if (!found) return error(404, path.startsWith("blobs/") ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN");
    response.writeHead(200, { "content-type": found.type }).end(found.bytes);
  }
}

/** A tar archive of these files. */
export function archive(files: Record<string, Uint8Array>): Buffer {
  const blocks = Object.entries(files).flatMap(([path, bytes]) => {
    const header = new Header({ path, mode: 0o644, size: bytes.length, type: "File", mtime: new Date(0) });
    const block = Buffer.alloc(512);
    header.encode(block);
    const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
    return [block, Buffer.from(bytes), padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
