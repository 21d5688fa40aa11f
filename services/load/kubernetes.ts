import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../log.ts";
import { type Autoscaler, figuresOf, parseAutoscalers } from "./autoscaler.ts";
import { parseCpu, parseDeployment } from "./cpu.ts";
import { ApiError, createKubernetesApi, type KubernetesApi, type KubernetesApiSettings } from "./kubernetes-api.ts";
import { type Cpu, type Load, type LoadSource, ServiceUnknown, SourceDown } from "./source.ts";

export interface KubernetesSettings extends KubernetesApiSettings {
  /** The namespace whose deployments it tells of. */
  namespace: string;
  /** Milliseconds that an answer of the API stands: however many proxies poll, each question is asked once in them. */
  periodMs: number;
}

/**
 * Figures of a cluster: those of the HorizontalPodAutoscaler of the deployment, and what its pods use. Asks only when
 * it is asked. Its service account has to list `horizontalpodautoscalers` and `pods.metrics.k8s.io`, and to get
 * `deployments`.
 */
export function createKubernetesSource(settings: KubernetesSettings, log: Log): LoadSource {
  const { namespace, periodMs } = settings;
  const api = createKubernetesApi(settings);
  const tell = createTeller(log);
  /** By deployment; only of those that have an autoscaler, so that no request can make it grow. */
  const cpuReaders = new Map<string, () => Promise<PodsCpu>>();

  const readAutoscalers = keep(periodMs, async () => {
    const what = `the autoscalers of namespace ${namespace}`;
    try {
      const body = await api.get(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`);
      const autoscalers = parseAutoscalers(body);
      tell(what, undefined);
      for (const name of cpuReaders.keys()) if (!autoscalers.has(name)) cpuReaders.delete(name);
      return { autoscalers, observedAt: new Date().toISOString() };
    } catch (error) {
      tell(what, messageOf(error));
      throw new SourceDown(messageOf(error));
    }
  });

  const readPods = (deployment: string) => {
    const read = cpuReaders.get(deployment) ?? keep(periodMs, () => readCpu(api, namespace, deployment));
    cpuReaders.set(deployment, read);
    return read();
  };

  const figures = (service: string, autoscaler: Autoscaler) => {
    try {
      const figures = figuresOf(autoscaler, Date.now());
      tell(service, undefined);
      return figures;
    } catch (error) {
      tell(service, messageOf(error));
      throw error;
    }
  };

  const load = async (service: string): Promise<Load> => {
    const { autoscalers, observedAt } = await readAutoscalers();
    const autoscaler = autoscalers.get(nameWithin(namespace, service));
    if (!autoscaler)
      throw new ServiceUnknown(`${service} has no autoscaler; there is ${names(namespace, autoscalers)}`);
    const cpu = await readPods(autoscaler.deployment);
    if (cpu === "no deployment")
      throw new ServiceUnknown(`there is no deployment ${service}, though the autoscaler ${autoscaler.name} is for it`);

    const { current, target } = figures(service, autoscaler);
    return {
      service,
      currentLoad: current,
      targetLoad: target,
      maxLoad: autoscaler.maxReplicas,
      observedAt,
      cpu: "error" in cpu ? cpu : { ...cpu, targetUtilization: autoscaler.targetUtilization },
    };
  };

  return {
    services: async () => [...(await readAutoscalers()).autoscalers.keys()].map((name) => `${namespace}/${name}`),
    load,
    start: () => {},
    stop: () => api.stop(),
  };
}

type PodsCpu = Cpu | { error: string } | "no deployment";

/** The autoscaler's figures stand by themselves: where only the pods' metrics cannot be had, that is said in their place. */
async function readCpu(api: KubernetesApi, namespace: string, deployment: string): Promise<PodsCpu> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`;
  const podsPath = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`;
  try {
    const pods = parseDeployment(await api.get(path));
    return parseCpu(await api.get(`${podsPath}?${new URLSearchParams({ labelSelector: pods.selector })}`), pods);
  } catch (error) {
    // Without metrics-server the other path answers 404 as well.
    if (error instanceof ApiError && error.status === 404 && error.path === path) return "no deployment";
    return { error: messageOf(error) };
  }
}

/** Shares a question that is under way, and keeps its answer, or its failure, for a while. */
function keep<T>(periodMs: number, ask: () => Promise<T>): () => Promise<T> {
  let latest: { answer: Promise<T>; until: number } | undefined;
  return () => {
    if (latest && performance.now() < latest.until) return latest.answer;
    const asked = { answer: ask(), until: Number.POSITIVE_INFINITY };
    const answered = () => {
      asked.until = performance.now() + periodMs;
    };
    asked.answer.then(answered, answered);
    latest = asked;
    return asked.answer;
  };
}

/** Logs a loss, and the return, once each. */
function createTeller(log: Log) {
  const lost = new Map<string, string>();
  return (what: string, reason: string | undefined) => {
    const before = lost.get(what);
    if (before === reason) return;
    if (reason === undefined) lost.delete(what);
    else lost.set(what, reason);
    log(
      reason === undefined ? "info" : "warn",
      reason === undefined ? `figures are there: ${what}` : `no figures: ${reason}`,
    );
  };
}

/** `default/echo` → `echo`; empty for another namespace. */
function nameWithin(namespace: string, service: string): string {
  return service.startsWith(`${namespace}/`) ? service.slice(namespace.length + 1) : "";
}

function names(namespace: string, autoscalers: Map<string, Autoscaler>): string {
  return [...autoscalers.keys()].map((name) => `${namespace}/${name}`).join(", ") || "none";
}
