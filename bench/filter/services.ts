import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { messageOf, UserError } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import { root, stateDir } from "../../lib/paths.ts";
import { NotYet, poll } from "../../lib/poll.ts";
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
    const fail = (why: string) => {
      throw new UserError(`${entry} does not answer: ${why}`);
    };
    const look = async () => {
      const answer = await httpRequest({ url: `http://127.0.0.1:${port}${path}` }).catch(messageOf);
      if (typeof answer !== "string" && answer.status === 200) return;
      const why = typeof answer === "string" ? answer : `status ${answer.status}, ${answer.body}`;
      return child.exitCode === null ? new NotYet(why) : fail(why);
    };
    await poll(look, { timeoutMs: 20_000, everyMs: 20, late: ({ why }) => fail(why) });
  }
}
