import { messageOf, UserError } from "../lib/errors.ts";
import { createLog, type Log, logLevels } from "./log.ts";
import { listen, type Routes } from "./server.ts";
import { Settings } from "./settings.ts";

/** What a service is, once its settings are known. */
export interface Service {
  routes: Routes;
  /** Called when the service listens. */
  start?(): void;
  /** Called when it has stopped listening. */
  stop?(): void;
}

export interface ServiceDefinition<T> {
  name: string;
  defaultPort: number;
  /** Reads the service's own settings; what is wrong with them is noted in `settings.problems`. */
  readSettings(settings: Settings): T;
  create(settings: T, log: Log): Service;
}

/**
 * Runs a service as this process, by the environment: HOST, PORT, LOG_LEVEL, GRACE_MS (how long open requests may take
 * after SIGTERM) and the service's own. Exits with 0 after SIGTERM or SIGINT, with 1 and one error line when the
 * service cannot start. A second signal cuts open requests off.
 */
export async function run<T>(definition: ServiceDefinition<T>): Promise<void> {
  process.stdout.on("error", () => {}); // nobody reads the log any more: no reason to die
  const settings = new Settings(process.env);
  const host = settings.host("HOST", "127.0.0.1");
  const port = settings.integer("PORT", { fallback: definition.defaultPort, min: 0, max: 65_535 });
  const graceMs = settings.integer("GRACE_MS", { fallback: 10_000, min: 0, max: 600_000 });
  const log = createLog(definition.name, settings.choice("LOG_LEVEL", logLevels, "info"));
  const own = definition.readSettings(settings);

  const fail = (error: unknown) => {
    const stack = error instanceof Error && !(error instanceof UserError) ? error.stack : undefined;
    log("error", messageOf(error), { stack });
    process.exit(1);
  };
  process.on("uncaughtException", fail); // rejections that nobody handles as well

  try {
    settings.check();
    const service = definition.create(own, log);
    const server = await listen({ routes: service.routes, host, port, log });
    log("info", `listening on ${server.url}`, { url: server.url, pid: process.pid });
    service.start?.();

    let signals = 0;
    const stop = async (signal: NodeJS.Signals) => {
      signals++;
      if (signals > 1) return void server.stop(0);
      log("info", `stopping after ${signal}`, { graceMs });
      const cut = await server.stop(graceMs);
      service.stop?.();
      log(cut > 0 ? "warn" : "info", "stopped", { requestsCutOff: cut });
      process.exit(0);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  } catch (error) {
    fail(error);
  }
}
