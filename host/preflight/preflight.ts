import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { messageOf, UserError } from "../../lib/errors.ts";
import { type LogLevel, logLevels } from "../abi/abi.ts";
import type { LogLine } from "../abi/errors.ts";
import type { ClusterAnswer } from "../hostcalls/clusters.ts";
import type { Effects, Finding, Subject } from "./examine.ts";
import type { Report } from "./worker.ts";

export interface PreflightOptions extends Omit<Subject, "wasm" | "clusters" | "callable"> {
  /** The filter's name, for messages; none where the caller says it. */
  name?: string;
  /** The module's bytes, or its file. */
  wasm: string | Uint8Array;
  /**
   * Clusters that the filter may call. By name: what each answers; calls to others are refused as the proxy does. A list
   * (exact names or `/regex/`): they never answer, and a filter that calls another does not pass. Default: any cluster,
   * no answers.
   */
  clusters?: string[] | Record<string, ClusterAnswer>;
  /** Milliseconds that the whole check may take; default 30 000. */
  timeoutMs?: number;
}

export interface PreflightResult extends Effects {
  /** What could not be checked here. */
  warnings: string[];
  /** What the module logged at info level and above, and what the host said about it. */
  logs: LogLine[];
}

/**
 * Loads a module with its configuration as Envoy would, and sends one request through it, in a thread of its own: a
 * module that never returns is stopped.
 * @throws UserError what a proxy would refuse or trap on: the reason, the module's last words and its stack
 */
export async function preflight(options: PreflightOptions): Promise<PreflightResult> {
  const { name, wasm, clusters, timeoutMs = 30_000, ...rest } = options;
  const subject: Subject = {
    ...rest,
    wasm: typeof wasm === "string" ? await moduleFile(wasm) : wasm,
    ...(clusters && (Array.isArray(clusters) ? { callable: clusters } : { clusters })),
  };
  const { finding, logs } = await examineInThread(subject, timeoutMs);
  if (finding.kind === "sound") {
    const { kind, ...found } = finding;
    return { ...found, logs };
  }
  const lines = [
    `${name === undefined ? "" : `filter "${name}": `}${finding.what}`,
    ...section("it logged:", lastWords(logs)),
    ...section("its stack:", finding.stack),
  ];
  throw new UserError(lines.join("\n"));
}

async function moduleFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`cannot read the module: ${messageOf(error)}`);
  }
}

function examineInThread(subject: Subject, timeoutMs: number): Promise<{ finding: Finding; logs: LogLine[] }> {
  const logs: LogLine[] = [];
  let call: string | undefined;
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData: subject });
  return new Promise<{ finding: Finding; logs: LogLine[] }>((resolve, reject) => {
    const watch = new Watch(timeoutMs, () => {
      const what = `${call ?? "the check"} has not returned after ${timeoutMs / 1000} s: an endless loop?`;
      resolve({ finding: { kind: "refused", what, stack: [] }, logs });
    });
    worker.on("message", (report: Report) => {
      if ("log" in report) logs.push(report.log);
      else if ("call" in report) call = report.call;
      else resolve({ finding: report.finding, logs });
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`the check of the module ended with ${code} and said nothing`)));
    worker.on("exit", () => watch.stop());
  }).finally(() => worker.terminate());
}

/**
 * Time that a module has. A loop without end uses the processor all the time; where others use it, as on a busy machine
 * that compiles a large module, the time is not up before half of it was used here.
 */
class Watch {
  readonly #timer: NodeJS.Timeout;

  constructor(timeoutMs: number, onTimeout: () => void) {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    const look = () => {
      const { user, system } = process.cpuUsage(cpu);
      const elapsedMs = performance.now() - began;
      if (elapsedMs < timeoutMs || ((user + system) / 1000 < timeoutMs / 2 && elapsedMs < 20 * timeoutMs)) return;
      this.stop();
      onTimeout();
    };
    this.#timer = setInterval(look, Math.max(10, timeoutMs / 30));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** How the host logs a trap: the error says it already. */
const hostsOwn = "Function: ";

/** The last lines at warn and above: what the module had to say before the end. */
function lastWords(logs: LogLine[]): string[] {
  const from = logLevels.indexOf("warn" satisfies LogLevel);
  return logs
    .filter(({ level, message }) => logLevels.indexOf(level) >= from && !message.startsWith(hostsOwn))
    .slice(-5)
    .map(({ level, message }) => `[${level}] ${message}`);
}

function section(title: string, lines: string[]): string[] {
  return lines.length > 0 ? [`  ${title}`, ...lines.map((line) => `    ${line}`)] : [];
}
