import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import { root, stateDir } from "../../lib/paths.ts";
import { freePorts } from "../../test/ports.ts";
import { bundle } from "../../toolchain/bundle.ts";

/** Echo, and bursting-metrics that watches it, as the local stack runs them, on ports of their own. */
export class Services {
  readonly #processes: ChildProcess[] = [];
  /** Of bursting-metrics. */
  readonly metricsPort: number;

  private constructor(metricsPort: number) {
    this.metricsPort = metricsPort;
  }

  static async start(): Promise<Services> {
    const [echoPort, metricsPort] = (await freePorts(2)) as [number, number];
    const services = new Services(metricsPort);
    const watched = [{ service: "default/echo", url: `http://127.0.0.1:${echoPort}/metrics`, periodMs: 100 }];
    process.on("exit", services.#kill);
    try {
      await services.#start("services/echo.ts", echoPort);
      await services.#start("services/bursting-metrics.ts", metricsPort, { LOAD_SERVICES: JSON.stringify(watched) });
    } catch (error) {
      services.stop();
      throw error;
    }
    return services;
  }

  stop(): void {
    process.off("exit", this.#kill);
    this.#kill();
  }

  readonly #kill = () => {
    for (const child of this.#processes) child.kill("SIGKILL");
  };

  async #start(entry: string, port: number, env: Record<string, string> = {}): Promise<void> {
    const { file } = await bundle(entry, join(stateDir, "services"));
    const child = spawn(process.execPath, [file], {
      cwd: root,
      env: { ...env, HOST: "127.0.0.1", PORT: String(port), LOG_LEVEL: "error" },
      stdio: "ignore",
      detached: true, // Ctrl-C is ours
    });
    this.#processes.push(child);
    const path = env.LOAD_SERVICES ? "/readyz" : "/healthz";
    const end = performance.now() + 20_000;
    for (let last = "nothing"; ; ) {
      const answer = await httpRequest({ url: `http://127.0.0.1:${port}${path}` }).catch(messageOf);
      if (typeof answer !== "string" && answer.status === 200) return;
      last = typeof answer === "string" ? answer : `status ${answer.status}, ${answer.body}`;
      if (child.exitCode !== null || performance.now() > end) throw new UserError(`${entry} does not answer: ${last}`);
      await sleep(20);
    }
  }
}
