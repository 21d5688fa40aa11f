/** Client for a Kubernetes API server, used by the provider and the command line. It needs only a kubeconfig file. */
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { Duplex, PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { messageOf, UserError } from "../lib/errors.ts";
import { type HttpRequest, type HttpResponse, headerLimit, httpRequest } from "../lib/http.ts";

const timeoutMs = 10_000;

/** The API server has answered with an error. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** An object as the API server returns it. */
export interface KubeObject {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    uid?: string;
    generation?: number;
    resourceVersion?: string;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    managedFields?: { manager?: string; time?: string; subresource?: string }[];
  };
}

export interface PodName {
  namespace: string;
  name: string;
}

export interface PodRequest extends Pick<HttpRequest, "method" | "headers" | "body"> {
  path: string;
  /** Default: HTTP/1. */
  http?: 1 | 2;
}

export interface LogOptions {
  container: string;
  /** RFC 3339, to the second. */
  since?: string;
  /** Number of lines, counted from the end. */
  tail?: number;
  /** Largest number of bytes, counted from the beginning of the requested part. */
  mostBytes?: number;
  /** The log of the previous, ended container. */
  previous?: boolean;
}

/**
 * A connection to the cluster that a kubeconfig file names. The credentials come from the file: certificates, tokens,
 * or a program that creates them (GKE, EKS).
 */
export class KubeApi {
  readonly #config: KubeConfig;
  readonly server: string;
  /** Connections are reused: a handshake takes longer than most answers. */
  #agent: http.Agent | undefined;

  private constructor(config: KubeConfig, server: string) {
    this.#config = config;
    this.server = server;
  }

  /** @throws UserError when the file is no kubeconfig with a current context */
  static async open(kubeconfig: string): Promise<KubeApi> {
    const { KubeConfig } = await import("./client.ts"); // not needed by every command
    const config = new KubeConfig();
    try {
      config.loadFromFile(kubeconfig);
    } catch (error) {
      throw new UserError(`the kubeconfig file ${kubeconfig} cannot be used: ${messageOf(error)}`);
    }
    const server = config.getCurrentCluster()?.server;
    if (!server) throw new UserError(`the kubeconfig file ${kubeconfig} has no current context with a cluster`);
    return new KubeApi(config, server.replace(/\/$/, ""));
  }

  /** Gets an object by its path on the server (`/api/v1/…`); undefined if it does not exist. */
  async get<T extends object>(path: string): Promise<T | undefined> {
    try {
      return JSON.parse(await this.#request("GET", path)) as T;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The objects of a list; empty if the kind is unknown. */
  async list<T extends object>(path: string): Promise<T[]> {
    return (await this.get<{ items?: T[] }>(path))?.items ?? [];
  }

  /** The metadata of the objects of a list; undefined if the kind is unknown. */
  async listMetadata(path: string): Promise<KubeObject[] | undefined> {
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    try {
      return JSON.parse(await this.#request("GET", path, { headers: { accept } })).items as KubeObject[];
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Replaces an existing object. */
  async put(path: string, object: object): Promise<void> {
    await this.#request("PUT", path, {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(object),
    });
  }

  /** Deletes an object. It is not an error if the object does not exist. */
  async delete(path: string): Promise<void> {
    await this.#request("DELETE", path).catch((error) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
  }

  /** A JSON merge patch (RFC 7386). */
  async patch(path: string, patch: object): Promise<void> {
    await this.#request("PATCH", path, {
      headers: { "content-type": "application/merge-patch+json" },
      body: JSON.stringify(patch),
    });
  }

  /** A container's log. */
  log(pod: PodName, options: LogOptions): Promise<string> {
    return this.#request("GET", logPath(pod, options));
  }

  /**
   * A container's last `tail` lines, or the lines since a time (RFC 3339), and then each new line.
   * @param onLine gets whole lines
   * @returns when the container has ended, or `signal` fires
   */
  async followLog(
    pod: PodName,
    options: LogOptions,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `${logPath(pod, options)}&follow=true`;
    const request = await this.#open("GET", path, {}, signal);
    try {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        request.on("error", reject).on("response", resolve).end();
      });
      const status = response.statusCode ?? 0;
      if (status !== 200) throw new ApiError(status, `${path}: ${status} ${reasonOf(await text(response))}`);
      for await (const line of createInterface({ input: response })) onLine(line);
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ApiError ? error : this.#noAnswer(error);
    }
  }

  /** GET from a port that a pod opens only on its own loopback, as `kubectl port-forward` does. */
  getFromPod(pod: PodName, port: number, path: string): Promise<string> {
    const headers = { host: "localhost", connection: "close" };
    return this.#throughPod(pod, port, (connection) =>
      answerOf(http.request({ path, headers, createConnection: () => connection, ...headerLimit })),
    );
  }

  /** Sends any request to a port of a pod, past all proxies in front of the pod. Returns every answer, also errors. */
  async askPod(pod: PodName, port: number, request: PodRequest): Promise<HttpResponse> {
    const { path, http = 1, ...rest } = request;
    const send = http === 2 ? (await import("../lib/http2.ts")).http2Request : httpRequest;
    const url = `http://${pod.name}:${port}${path}`;
    return this.#throughPod(pod, port, (connection) => send({ url, timeoutMs, ...rest, connection }));
  }

  async #throughPod<T>(pod: PodName, port: number, use: (connection: Duplex) => Promise<T>): Promise<T> {
    const { PortForward } = await import("./client.ts");
    const [fromPod, toPod, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const forward = new PortForward(this.#config);
    const opening = forward.portForward(pod.namespace, pod.name, [port], fromPod, errors, toPod);
    const socket = await withTimeout(opening, `port ${port} of pod ${pod.name} cannot be reached`);
    if (typeof socket === "function") throw new Error("a forwarded port that reconnects was not asked for");
    const connection = asSocket(Duplex.from({ readable: fromPod, writable: toPod }));
    const failed = new Promise<never>((_, reject) => {
      errors.once("data", (text) => reject(new UserError(`port ${port} of pod ${pod.name}: ${text}`)));
      socket.addEventListener("close", () => fromPod.end());
    });
    failed.catch(() => {}); // nobody waits for it once the answer is there
    try {
      return await Promise.race([use(connection), failed]);
    } finally {
      socket.close();
    }
  }

  async #request(
    method: string,
    path: string,
    { headers, body }: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<string> {
    for (;;) {
      const request = await this.#open(method, path, headers);
      try {
        return await answerOf(request, body);
      } catch (error) {
        if (error instanceof ApiError) throw error;
        // The server closed a kept connection just as it was reused: retry.
        if (request.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET") continue;
        throw this.#noAnswer(error);
      }
    }
  }

  #noAnswer(error: unknown): UserError {
    return new UserError(`the cluster at ${this.server} does not answer: ${messageOf(error)}. Does it run?`);
  }

  /** A request with the kubeconfig's credentials, not yet sent. */
  async #open(method: string, path: string, headers = {}, signal?: AbortSignal): Promise<http.ClientRequest> {
    const options: https.RequestOptions = {
      method,
      headers: { accept: "application/json, */*", ...headers },
      signal,
      ...headerLimit,
    };
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      throw new UserError(`the kubeconfig's credentials for ${this.server} cannot be had: ${messageOf(error)}`);
    }
    const { request } = this.server.startsWith("https:") ? https : http;
    this.#agent ??= Object.assign(options.agent as http.Agent, { keepAlive: true });
    return request(this.server + path, { ...options, agent: this.#agent });
  }
}

function logPath({ namespace, name }: PodName, { container, since, tail, mostBytes, previous }: LogOptions): string {
  const query = new URLSearchParams({ container });
  if (since !== undefined) query.set("sinceTime", since);
  if (tail !== undefined) query.set("tailLines", String(tail));
  if (mostBytes !== undefined) query.set("limitBytes", String(mostBytes));
  if (previous) query.set("previous", "true");
  return `/api/v1/namespaces/${namespace}/pods/${name}/log?${query}`;
}

/** Adds the socket methods that node:http calls. They do nothing, because there is no real socket. */
function asSocket(stream: Duplex): Duplex {
  const nothing = () => stream;
  return Object.assign(stream, { setTimeout: nothing, setNoDelay: nothing, setKeepAlive: nothing });
}

/** Sends the request and returns the body of a 2xx answer. */
function answerOf(request: http.ClientRequest, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(body);
        else reject(new ApiError(status, `${request.path}: ${status} ${reasonOf(body)}`));
      });
    });
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.end(body);
  });
}

/** The message of a Kubernetes `Status` object, or the text itself. */
function reasonOf(text: string): string {
  try {
    return JSON.parse(text).message ?? text;
  } catch {
    return text.slice(0, 200);
  }
}

function withTimeout<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UserError(`${what}: no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
