import type { Log } from "../log.ts";
import type { Service } from "../run.ts";
import { HttpError, json, type Request, text } from "../server.ts";
import { prefersJson } from "./accept.ts";
import { createKubernetesSource } from "./kubernetes.ts";
import { createLocalSource } from "./local.ts";
import type { LoadSettings } from "./settings.ts";
import { formatLoad, type LoadSource, ServiceUnknown, SourceDown } from "./source.ts";

export function createBurstingMetrics(settings: LoadSettings, log: Log): Service {
  return createLoadService(
    settings.source === "kubernetes"
      ? createKubernetesSource(settings, log)
      : createLocalSource(settings.services, log),
  );
}

/**
 * `GET /load/{namespace}/{deployment}`: the header's text, or `Load` as JSON where Accept prefers it.
 * `/healthz`: the process answers. `/readyz`: there are figures for every service.
 */
export function createLoadService(source: LoadSource): Service {
  const load = async ({ params, raw }: Request) => {
    const figures = await source.load(`${params.namespace}/${params.deployment}`).catch(refuse);
    const vary = { vary: "accept" };
    return prefersJson(raw.headers.accept) ? json(200, figures, vary) : text(200, formatLoad(figures), vary);
  };
  const ready = async () => {
    const services = await source.services().catch(refuse);
    const results = await Promise.allSettled(services.map((service) => source.load(service)));
    const reasons = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
    for (const reason of reasons) if (!(reason instanceof SourceDown || reason instanceof ServiceUnknown)) throw reason;
    if (reasons.length > 0) throw new HttpError(503, reasons.map((reason) => reason.message).join("; "));
    return text(200, "ok");
  };
  return {
    routes: {
      "/load/{namespace}/{deployment}": { GET: load },
      "/healthz": { GET: () => text(200, "ok") },
      "/readyz": { GET: ready },
    },
    start: () => source.start(),
    stop: () => source.stop(),
  };
}

/** What a source throws, as a status. */
function refuse(error: unknown): never {
  if (error instanceof ServiceUnknown) throw new HttpError(404, error.message);
  if (error instanceof SourceDown) throw new HttpError(503, error.message);
  throw error;
}
