/** Reading from a registry: https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
import { EnvHttpProxyAgent, fetch, type Response } from "undici";
import { messageOf, UserError } from "../lib/errors.ts";
import { sha256 } from "../lib/sha256.ts";
import { isDockerHub, type Reference } from "./reference.ts";

export interface Credentials {
  username: string;
  password: string;
}

/** What a manifest says of one of its parts. */
export interface Descriptor {
  mediaType?: string;
  digest: string;
  /** Bytes. */
  size?: number;
  platform?: { os?: string; architecture?: string };
}

export interface Manifest {
  /** `sha256:…`, of the very bytes that came. */
  digest: string;
  layers: Descriptor[];
  /** Of an index, which has manifests in place of layers. */
  manifests: Descriptor[];
}

const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

const timeoutMs = 60_000;
const mostManifestBytes = 4 << 20;
/** More than a proxy would take. */
export const mostBytes = 256 << 20;

/** One repository of a registry, as far as it is read. */
export class Repository {
  readonly #reference: Reference;
  readonly #credentials: Credentials | undefined;
  readonly #base: string;
  #authorization: string | undefined;

  constructor(reference: Reference, credentials?: Credentials) {
    const { registry, repository } = reference;
    this.#reference = reference;
    this.#credentials = credentials;
    this.#base = `${originOf(registry)}/v2/${repository}`;
  }

  /**
   * @param name a tag, or a digest
   * @throws UserError when there is none, it cannot be had, or it is another one than its digest says
   */
  async manifest(name: string): Promise<Manifest> {
    const bytes = await this.#get(`manifests/${name}`, manifestTypes, mostManifestBytes);
    const digest = digestOf(bytes);
    if (name.includes(":")) this.#requireDigest(digest, name);
    try {
      const { layers = [], manifests = [] } = JSON.parse(bytes.toString("utf8"));
      if (Array.isArray(layers) && Array.isArray(manifests)) return { digest, layers, manifests };
    } catch {
      // said below
    }
    throw this.#error(`${this.#reference.registry} gives something else than the manifest of an image`);
  }

  /** @throws UserError as above */
  async blob({ digest, size = 0 }: Descriptor): Promise<Buffer> {
    if (size > mostBytes) throw this.#error(`it has ${size} bytes, and ${mostBytes} is the most that is taken`);
    const bytes = await this.#get(`blobs/${digest}`, ["*/*"], mostBytes);
    this.#requireDigest(digestOf(bytes), digest);
    return bytes;
  }

  async #get(path: string, accept: string[], most: number): Promise<Buffer> {
    const url = `${this.#base}/${path}`;
    let response = await this.#send(url, accept);
    if (response.status === 401 && (await this.#authorize(response))) response = await this.#send(url, accept);
    if (!response.ok) throw this.#refusal(response.status, await codeIn(response), path);
    try {
      return await bodyOf(response, most);
    } catch (error) {
      throw this.#error(`${this.#reference.registry} broke off: ${causeOf(error)}`);
    }
  }

  #send(url: string, accept: string[], authorization = this.#authorization): Promise<Response> {
    const headers = { accept: accept.join(", "), ...(authorization && { authorization }) };
    // A proxy is for what goes out.
    const dispatcher = isLoopback(new URL(url)) ? undefined : outgoing();
    const signal = AbortSignal.timeout(timeoutMs);
    return fetch(url, { headers, dispatcher, signal }).catch((error) => {
      throw this.#error(`${this.#reference.registry} does not answer: ${causeOf(error)}`);
    });
  }

  /** As the answer asks for it. @returns whether there is anything new to try */
  async #authorize(response: Response): Promise<boolean> {
    await response.body?.cancel();
    const [scheme, parameters] = challengeOf(response.headers.get("www-authenticate") ?? "");
    if (scheme === "basic") {
      this.#authorization = this.#basic();
      return this.#authorization !== undefined;
    }
    if (scheme !== "bearer" || !parameters.realm) return false;
    this.#authorization = `Bearer ${await this.#token(parameters.realm, parameters)}`;
    return true;
  }

  /** https://distribution.github.io/distribution/spec/auth/token/ */
  async #token(realm: string, { service, scope }: Record<string, string>): Promise<string> {
    const { registry, repository } = this.#reference;
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    // A password is told to nobody in plain text who is beyond this machine.
    if (!url || (url.protocol !== "https:" && !isLoopback(url)))
      throw this.#error(`${registry} sends for a token to ${realm}, which is no address with https`);
    if (service) url.searchParams.set("service", service);
    url.searchParams.set("scope", scope ?? `repository:${repository}:pull`);
    const response = await this.#send(url.href, ["application/json"], this.#basic() ?? "");
    if (!response.ok) throw this.#refusal(response.status, await codeIn(response), "");
    const answer = (await response.json().catch(() => ({}))) as { token?: unknown; access_token?: unknown };
    const token = answer.token ?? answer.access_token;
    if (typeof token !== "string") throw this.#error(`${registry} gives no token at ${realm}`);
    return token;
  }

  #basic(): string | undefined {
    if (!this.#credentials) return undefined;
    const { username, password } = this.#credentials;
    return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  }

  #requireDigest(seen: string, wanted: string): void {
    if (seen !== wanted)
      throw this.#error(`what ${this.#reference.registry} gives for ${wanted} has another digest, ${seen}`);
  }

  #refusal(status: number, code: string, path: string): UserError {
    const { registry, repository } = this.#reference;
    if (status === 401 || status === 403) {
      if (this.#credentials)
        return this.#error(
          `${registry} refuses it to ${this.#credentials.username} (${status}): see meshup:registry.username and meshup:registryPassword; or it has no ${repository}`,
        );
      return this.#error(
        `${registry} does not give it to everybody (${status}): set meshup:registry to { address: ${registry}, username: … }, and \`pulumi config set --secret meshup:registryPassword\`; or it has no ${repository}`,
      );
    }
    if (status !== 404) return this.#error(`${registry} answers with ${status}${code && ` (${code})`}`);
    if (code === "NAME_UNKNOWN") return this.#error(`${registry} has no repository ${repository}`);
    const what = path.split("/")[1];
    return this.#error(`${registry} has no ${what} in ${repository} (404)`);
  }

  #error(message: string): UserError {
    return new UserError(`${this.#reference.text}: ${message}`);
  }
}

let agent: EnvHttpProxyAgent | undefined;

/** By the proxy of the environment, where it has one. */
function outgoing(): EnvHttpProxyAgent {
  agent ??= new EnvHttpProxyAgent();
  return agent;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes)}`;
}

/** Plain HTTP only within this machine, where names end at 127.0.0.1. */
function originOf(registry: string): string {
  if (isDockerHub(registry)) return "https://registry-1.docker.io";
  const url = new URL(`http://${registry}`);
  if (!isLoopback(url)) return `https://${registry}`;
  if (isLocalName(url)) url.hostname = "127.0.0.1";
  return url.origin;
}

const isLocalName = ({ hostname }: URL) => /(^|\.)localhost$/i.test(hostname);

function isLoopback(url: URL): boolean {
  return isLocalName(url) || url.hostname === "[::1]" || /^127(\.\d+){3}$/.test(url.hostname);
}

/** `Bearer realm="https://auth.example.com/token",service="registry"` */
function challengeOf(header: string): [string, Record<string, string>] {
  const [scheme = ""] = header.split(" ");
  const parameters = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]);
  return [scheme.toLowerCase(), Object.fromEntries(parameters)];
}

/** The code of a registry's error: `MANIFEST_UNKNOWN`. */
async function codeIn(response: Response): Promise<string> {
  try {
    const { errors } = JSON.parse((await bodyOf(response, 65_536)).toString("utf8"));
    return String(errors?.[0]?.code ?? "");
  } catch {
    return "";
  }
}

async function bodyOf(response: Response, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > most) throw new Error(`more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `fetch failed` is all that its own message says. */
function causeOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return `nothing within ${timeoutMs / 1000} s`;
  return messageOf(error instanceof Error && error.cause ? error.cause : error).split("\n")[0] ?? "";
}
