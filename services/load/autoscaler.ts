import { count, type Json, list, object, optionalList, string } from "./shape.ts";
import { SourceDown } from "./source.ts";

/** What a HorizontalPodAutoscaler (autoscaling/v2) tells of the deployment that it scales. */
export interface Autoscaler {
  name: string;
  deployment: string;
  /** `status.currentReplicas`; 0 until the controller has looked for the first time. */
  currentReplicas: number;
  /** `status.desiredReplicas`; 0 until the controller has seen metrics for the first time. */
  desiredReplicas: number;
  maxReplicas: number;
  /** The cpu utilization that it aims at, percent. */
  targetUtilization?: number;
  conditions: Condition[];
}

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
  /** Milliseconds since 1970. */
  since: number;
}

/**
 * The autoscalers of deployments, by the deployment's name. Where several scale one (which Kubernetes calls a mistake),
 * the first by name counts.
 * @param body a HorizontalPodAutoscalerList
 * @throws Error that says what is wrong with it.
 */
export function parseAutoscalers(body: unknown): Map<string, Autoscaler> {
  const { items } = object(body, "the list of autoscalers");
  const autoscalers = list(items, "items")
    .flatMap((item, index) => parseAutoscaler(object(item, `items[${index}]`), `items[${index}]`) ?? [])
    .sort((a, b) => (a.name < b.name ? 1 : -1));
  return new Map(autoscalers.map((autoscaler) => [autoscaler.deployment, autoscaler])); // the last one set stays
}

function parseAutoscaler(item: Json, at: string): Autoscaler | undefined {
  const metadata = object(item.metadata, `${at}.metadata`);
  const spec = object(item.spec, `${at}.spec`);
  const status = object(item.status ?? {}, `${at}.status`);
  const scaled = object(spec.scaleTargetRef, `${at}.spec.scaleTargetRef`);
  if (scaled.kind !== "Deployment") return undefined;
  return {
    name: string(metadata.name, `${at}.metadata.name`),
    deployment: string(scaled.name, `${at}.spec.scaleTargetRef.name`),
    // Both are left out, or 0, until there is something to tell.
    currentReplicas: count(status.currentReplicas ?? 0, `${at}.status.currentReplicas`),
    desiredReplicas: count(status.desiredReplicas ?? 0, `${at}.status.desiredReplicas`),
    maxReplicas: count(spec.maxReplicas, `${at}.spec.maxReplicas`),
    targetUtilization: cpuTarget(optionalList(spec.metrics, `${at}.spec.metrics`)),
    conditions: optionalList(status.conditions, `${at}.status.conditions`).map((condition, index) =>
      parseCondition(object(condition, `${at}.status.conditions[${index}]`), `${at}.status.conditions[${index}]`),
    ),
  };
}

function cpuTarget(metrics: unknown[]): number | undefined {
  type Metric = { resource?: { name?: string; target?: { averageUtilization?: number } } };
  const cpu = (metrics as Metric[]).find((metric) => metric?.resource?.name === "cpu");
  return cpu?.resource?.target?.averageUtilization;
}

function parseCondition(condition: Json, at: string): Condition {
  const since = Date.parse(string(condition.lastTransitionTime ?? "1970-01-01T00:00:00Z", `${at}.lastTransitionTime`));
  return {
    type: string(condition.type, `${at}.type`),
    status: string(condition.status, `${at}.status`),
    reason: string(condition.reason ?? "", `${at}.reason`),
    message: string(condition.message ?? "", `${at}.message`),
    since: Number.isNaN(since) ? 0 : since,
  };
}

/**
 * How long the last figures stand while the autoscaler cannot work out new ones: it keeps the replicas meanwhile. The
 * pod of a rollout has no metrics for half a minute, and that is no failure.
 */
export const graceMs = 60_000;

/**
 * Replicas there are, and replicas wanted.
 * @param now milliseconds since 1970
 * @throws SourceDown while the autoscaler cannot tell, with its own words.
 */
export function figuresOf(autoscaler: Autoscaler, now: number): { current: number; target: number } {
  const { name, conditions, currentReplicas: current, desiredReplicas: target } = autoscaler;
  if (conditions.length === 0) throw new SourceDown(`the autoscaler ${name} has not looked at its deployment yet`);

  const failed = conditions.find(
    ({ type, status }) => (type === "ScalingActive" || type === "AbleToScale") && status === "False",
  );
  // A deployment that was scaled to 0 by hand: the autoscaler rests, and its figures are right.
  if (!failed || failed.reason === "ScalingDisabled") return { current, target };
  if (target > 0 && now - failed.since < graceMs) return { current, target };
  throw new SourceDown(`the autoscaler ${name} has no figures: ${failed.reason}: ${failed.message}`);
}
