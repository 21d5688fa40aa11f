import { readFile } from "node:fs/promises";
import https from "node:https";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.ts";
import { headerLimit } from "../../lib/http.ts";

export interface KubernetesApiSettings {
  /** Address of the API server, without a port. */
  host: string;
  port: number;
  /** Folder with the service account's `token` and `ca.crt`. */
  directory: string;
  /** Milliseconds that one request may take; default 5 000. */
  timeoutMs?: number;
}

export interface KubernetesApi {
  /**
   * The answer's JSON.
   * @param path with the query: `/apis/apps/v1/namespaces/default/deployments/echo`
   * @throws ApiError
   */
  get(path: string): Promise<unknown>;
  /** Drops what is under way. */
  stop(): void;
}

/** What the API refused, or why it could not be asked; the message says it for a person. */
export class ApiError extends Error {
  override name = "ApiError";
  /** HTTP status; none where nobody answered. */
  readonly status: number | undefined;
  /** What was asked for. */
  readonly path: string | undefined;

  constructor(message: string, at: { status?: number; path?: string } = {}) {
    super(message);
    this.status = at.status;
    this.path = at.path;
  }
}

/** More than any list that is asked for here; an endless answer must not fill the memory. */
const maxBodyBytes = 16 << 20;

/** The Kubernetes API, as the pod's service account may use it. */
export function createKubernetesApi(settings: KubernetesApiSettings): KubernetesApi {
  const { host, port, directory, timeoutMs = 5000 } = settings;
  const stopped = new AbortController();
  // A connection for each request: one kept open may die unseen. The agent remembers TLS sessions, which keeps it cheap.
  const agent = new https.Agent({ keepAlive: false });

  const get = async (path: string) => {
    // Read for each request: both files are replaced while the pod lives, the token about once an hour.
    const [token, ca] = await Promise.all([readText(join(directory, "token")), readText(join(directory, "ca.crt"))]);
    const headers = { accept: "application/json", authorization: `Bearer ${token.trim()}` };
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(timeoutMs)]);
    const answer = await exchange({ host, port, path, headers, ca, agent, signal }).catch((error: Error) => {
      const late = error.name === "AbortError" || error.name === "TimeoutError";
      throw new ApiError(
        late
          ? `the Kubernetes API did not answer GET ${path} within ${timeoutMs} ms`
          : `the Kubernetes API at ${host}:${port} cannot be asked: ${messageOf(error)}`,
      );
    });
    if (answer.status !== 200)
      throw new ApiError(
        `the Kubernetes API answered GET ${path} with status ${answer.status}${reasonOf(answer.body)}`,
        { status: answer.status, path },
      );
    try {
      return JSON.parse(answer.body);
    } catch {
      throw new ApiError(`the Kubernetes API answered GET ${path} with what is not JSON`);
    }
  };

  return { get, stop: () => stopped.abort() };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new ApiError(`the service account cannot be read: ${messageOf(error)}`);
  }
}

function exchange(options: https.RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = https.request({ ...options, ...headerLimit }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBodyBytes) request.destroy(new Error(`its answer is larger than ${maxBodyBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.on("error", reject);
    request.end();
  });
}

/** The `message` of the `Status` object that comes with every refusal. */
function reasonOf(body: string): string {
  try {
    const { message } = JSON.parse(body);
    return typeof message === "string" && message ? `: ${message}` : "";
  } catch {
    return ""; // a proxy's page, not the API's answer
  }
}
