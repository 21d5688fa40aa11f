import { list, object, optionalList, string } from "./shape.ts";
import type { Cpu } from "./source.ts";

/** What is needed of a Deployment to find its pods and to judge what they use. */
export interface DeploymentPods {
  /** `spec.selector` as a query's `labelSelector`. */
  selector: string;
  /** Cores requested, by container. One that requests nothing has 0. */
  requests: Map<string, number>;
}

/** @throws Error that says what is wrong with the Deployment. */
export function parseDeployment(body: unknown): DeploymentPods {
  const spec = object(object(body, "the deployment").spec, "spec");
  const template = object(object(spec.template, "spec.template").spec, "spec.template.spec");
  const requests = list(template.containers, "spec.template.spec.containers").map((value, index): [string, number] => {
    const at = `spec.template.spec.containers[${index}]`;
    const container = object(value, at);
    const { cpu = "0" } = object(object(container.resources ?? {}, at).requests ?? {}, at);
    return [string(container.name, `${at}.name`), parseCores(cpu, `${at}.resources.requests.cpu`)];
  });
  return { selector: selectorText(object(spec.selector, "spec.selector")), requests: new Map(requests) };
}

/** A LabelSelector as the API takes it in a query: `app=echo,tier in (a,b),!old`. */
export function selectorText(selector: Record<string, unknown>): string {
  const labels = Object.entries(object(selector.matchLabels ?? {}, "matchLabels"));
  const expressions = optionalList(selector.matchExpressions, "matchExpressions").map((value, index) => {
    const { key, operator, values } = object(value, `matchExpressions[${index}]`);
    const among = `(${optionalList(values, `matchExpressions[${index}].values`).join(",")})`;
    const texts: Record<string, string> = {
      In: `${key} in ${among}`,
      NotIn: `${key} notin ${among}`,
      Exists: `${key}`,
      DoesNotExist: `!${key}`,
    };
    const text = texts[String(operator)];
    if (text === undefined) throw new Error(`matchExpressions[${index}].operator is not known: ${operator}`);
    return text;
  });
  return [...labels.map(([key, value]) => `${key}=${value}`), ...expressions].join(",");
}

/**
 * What the pods use, of the containers that the deployment has itself: what a mesh puts beside them has requests of its
 * own, that the deployment does not show.
 * @param body a PodMetricsList (metrics.k8s.io/v1beta1)
 */
export function parseCpu(body: unknown, { requests }: DeploymentPods): Cpu {
  const pods = list(object(body, "the pods' metrics").items, "items").map((value, index): [string, number] => {
    const item = object(value, `items[${index}]`);
    const name = string(object(item.metadata, `items[${index}].metadata`).name, `items[${index}].metadata.name`);
    return [name, coresUsed(item.containers, requests, `items[${index}].containers`)];
  });
  const used = pods.reduce((sum, [, cores]) => sum + cores, 0);
  const requested = pods.length * [...requests.values()].reduce((sum, cores) => sum + cores, 0);
  return {
    utilization: requested > 0 ? Math.round((100 * used) / requested) : undefined,
    pods: Object.fromEntries(pods.map(([name, cores]) => [name, Math.round(cores * 1000)])),
  };
}

function coresUsed(containers: unknown, own: Map<string, number>, at: string): number {
  let cores = 0;
  for (const [index, value] of list(containers, at).entries()) {
    const container = object(value, `${at}[${index}]`);
    if (!own.has(string(container.name, `${at}[${index}].name`))) continue;
    const { cpu } = object(container.usage, `${at}[${index}].usage`);
    cores += parseCores(cpu, `${at}[${index}].usage.cpu`);
  }
  return cores;
}

const scales: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3 };

/** A Kubernetes quantity of cpu: `1`, `0.5`, `250m`, `1234567n`. */
export function parseCores(value: unknown, at: string): number {
  const [, digits, suffix] = /^(\d+(?:\.\d+)?|\.\d+)([numk]?)$/.exec(String(value)) ?? [];
  const scale = scales[suffix ?? "?"];
  if (digits === undefined || scale === undefined) throw new Error(`${at} is not a quantity of cpu`);
  return Number(digits) * scale;
}
