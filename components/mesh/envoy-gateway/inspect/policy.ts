/** What Envoy Gateway says of an EnvoyExtensionPolicy: https://gateway-api.sigs.k8s.io/geps/gep-713/ */
import { type Known, noAnswer } from "../../../../kube/advice.ts";
import type { KubeObject } from "../../../../kube/api.ts";

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  observedGeneration?: number;
}

export interface Policy extends KubeObject {
  status?: {
    ancestors?: { ancestorRef: { kind?: string; name: string }; controllerName: string; conditions: Condition[] }[];
  };
}

export type Verdict =
  | { state: "accepted" }
  /** The control plane has not come to it, or not to its newest generation. */
  | { state: "waiting"; why: string }
  | { state: "refused"; reason: string; message: string };

/** What all of a policy's ancestors (Gateways and listeners) say of its current generation. */
export function judge(policy: Policy): Verdict {
  const ancestors = policy.status?.ancestors ?? [];
  if (ancestors.length === 0)
    return { state: "waiting", why: "no Gateway has taken it up: is its target there, and attached to the Gateway?" };
  const verdicts = ancestors.map(({ ancestorRef, conditions }): Verdict => {
    const accepted = conditions.find((condition) => condition.type === "Accepted");
    const at = `${ancestorRef.kind ?? "Gateway"} ${ancestorRef.name}`;
    if (!accepted) return { state: "waiting", why: `${at} says nothing of it` };
    if ((accepted.observedGeneration ?? 0) < (policy.metadata.generation ?? 0))
      return { state: "waiting", why: `${at} has seen only generation ${accepted.observedGeneration ?? 0} of it` };
    if (accepted.status === "False") return { state: "refused", reason: accepted.reason, message: accepted.message };
    if (accepted.status === "Unknown") return { state: "waiting", why: `${at}: ${accepted.message}` };
    return { state: "accepted" };
  });
  return (
    verdicts.find((verdict) => verdict.state === "refused") ??
    verdicts.find((verdict) => verdict.state === "waiting") ?? { state: "accepted" }
  );
}

/**
 * Whether a later attempt may succeed where nothing else changes: the registry did not answer. A registry that answers
 * (unknown manifest, no access, another digest) will answer the same again.
 */
export function isTransient(message: string): boolean {
  return /could not fetch|download failed|Wasm/.test(message) && noAnswer.test(message);
}

/** Whether Envoy Gateway has given a module's address up, for an hour, or until it is started anew. */
export const hasGivenUp = (message: string) => /after \d+ attempts\.?$/.test(message);

/**
 * How often a module is to be pulled before a refusal counts. What a registry answered may be an answer from before the
 * image was pushed, or from before the password was mended: Envoy Gateway does not ask again by itself. After about ten
 * failures it gives an address up for an hour.
 */
export function pullsWorthTrying(message: string): number {
  if (hasGivenUp(message)) return 2;
  if (isTransient(message)) return 4;
  return /could not fetch/.test(message) ? 2 : 1;
}

const restart = "KUBECTL -n envoy-gateway-system rollout restart deployment envoy-gateway";

/** What only Envoy Gateway says, and what to do about it. */
export const known: Known[] = [
  [/cache is not initialized/, `Envoy Gateway started without its certificates. Restart it: ${restart}`],
  [
    /after \d+ attempts$|after \d+ attempts\./,
    `Envoy Gateway has given this address up for an hour. Restart it: ${restart}`,
  ],
  [
    /HTTP response to HTTPS client/,
    "Envoy Gateway takes a registry without TLS only under a name that ends in .localhost, or a private IPv4 address.",
  ],
  [
    /UNAUTHORIZED|DENIED|authentication required|401 Unauthorized|403 Forbidden/,
    `Envoy Gateway remembers a refusal for an hour; where it was mended in the registry itself: ${restart}`,
  ],
  [/Conflicted|another .*policy/i, "Another policy has the same target: delete one of the two."],
  [/^Lua/, "Envoy Gateway runs each script before it takes it: mend the script."],
];

/** When the policy was last changed by anyone but its controller, by the API server's clock; RFC 3339. */
export function changedAt({ metadata }: KubeObject): string | undefined {
  const times = (metadata.managedFields ?? []).flatMap(({ time, subresource }) => (subresource || !time ? [] : [time]));
  return times.sort().at(-1) ?? metadata.creationTimestamp;
}
