/**
 * `meshup:index:Evidence`: what is to show that a filter runs, and whether that would show anything, before the filter is
 * attached: its request goes straight to the workload, past every proxy, and what comes is what there is without it.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../lib/errors.ts";
import { type HttpResponse, httpRequest } from "../lib/http.ts";
import type { Found } from "../proof/evidence.ts";
import { evidence } from "../proof/evidence.ts";
import type { Expectation } from "../proof/expectation.ts";
import type { ProofRequest } from "../proof/request.ts";
import { sentHeaders } from "../proof/request.ts";
import type { Context, ResourceType } from "./resource.ts";

/** Where a request is answered without any proxy, and so without filters. */
export interface Straight {
  /** The workload's name, for messages. */
  workload: string;
  /** As it would come there through the proxy. */
  path: string;
  /** The Host header. */
  host: string;
  at:
    | { host: string; port: number; tls?: { serverName: string; authorities?: string }; http: 1 | 2 | "both" }
    | { kubeconfig: string; namespace: string; service: string; port: number };
}

export interface EvidenceInputs {
  /** The filter's name. */
  filter: string;
  /** False: nothing is sent, and nothing shown. */
  request: ProofRequest | false;
  /** As declared; none: what was found of it. */
  expect?: Expectation;
  /** What the host in Node has found; none: it has not looked. */
  found?: Found;
  /** None: the filter is attached before its workload is there. */
  straight?: Straight;
  /** What is to be attached, of any shape. */
  subject: unknown;
  /** Where nothing would show the filter: `keep` what is attached, perhaps nothing, and say why; or `fail`. */
  otherwise: "keep" | "fail";
}

/** What a workload answers without the filter. */
export interface Baseline {
  status: number;
  headers: Record<string, string>;
  /** Its beginning. */
  body: string;
}

export interface EvidenceOutputs {
  /** What the response has to be. */
  expected: Expectation;
  /** What may be attached: the subject, or where nothing would show it, the one before; null: nothing. */
  attached: unknown;
  /** Why nothing would show it, and what to do. */
  problem?: string;
  /** None where the workload did not answer. */
  baseline?: Baseline;
}

/** Characters of a body that are kept. What is expected is compared with all of it. */
const keptBody = 16_384;
/** A server that was ready a moment ago may be at its first request. */
const attempts = 5;

export const evidenceType: ResourceType<EvidenceInputs, EvidenceOutputs> = {
  inputs: {
    filter: "update",
    request: "update",
    expect: "update",
    found: "update",
    straight: "update",
    subject: "update",
    otherwise: "update",
  },
  reveals: ["expected", "attached", "problem", "baseline"],
  id: ({ filter }) => filter,
  create: (inputs, context) => examine(inputs, undefined, context),
  update: (olds, news, context) => examine(news, olds, context),
  // A workload that did not answer is asked again.
  hasDrifted: async ({ baseline }, { straight }) => straight !== undefined && baseline === undefined,
};

/** What the proxies of a mesh put on each request besides. Who asked, Kubernetes' API adds itself. */
const inClusters = {
  "x-envoy-attempt-count": "1",
  "x-envoy-expected-rq-timeout-ms": "15000",
  "x-envoy-external-address": "127.0.0.1",
  "x-envoy-internal": "true",
};

/** @param before what there was: where nothing would show the filter, that goes on */
async function examine(
  inputs: EvidenceInputs,
  before: EvidenceOutputs | undefined,
  { signal, secretInputs }: Context,
): Promise<EvidenceOutputs> {
  const { filter, request, expect, found, straight, subject, otherwise } = inputs;
  const response = request && straight ? await ask(request, straight, signal) : undefined;
  const secret = ["expect", "found", "request"].some((name) => secretInputs?.has(name));
  const shown = straight && `${straight.path} of ${straight.workload}`;
  const args = { filter, request, expect, found, address: shown, straight: response, isSecret: secret };
  const { expect: expected, problem } = evidence(args);
  if (problem !== undefined && otherwise === "fail") throw new UserError(problem);
  const baseline: Baseline | undefined = response && { ...response, body: response.body.slice(0, keptBody) };
  const kept = baseline && { baseline };
  // An output that is missing is unknown to a preview.
  if (problem === undefined) return { expected, attached: subject, problem: "", ...kept };
  return { expected: before?.expected ?? expected, attached: before?.attached ?? null, problem, ...kept };
}

/** @returns undefined where nobody answers: what is wrong there the proof will tell */
async function ask(request: ProofRequest, straight: Straight, signal: AbortSignal): Promise<HttpResponse | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(request, straight);
    } catch {
      if (attempt === attempts || signal.aborted) return undefined;
      await sleep(200 * attempt);
    }
  }
}

/** As a proxy passes it on, as far as a workload may repeat it: its own headers show nothing of a filter. */
async function send({ method, headers, body }: ProofRequest, straight: Straight): Promise<HttpResponse> {
  const { at, path, host } = straight;
  const envoys = { "x-envoy-original-path": path, ...("service" in at && inClusters) };
  const passed = { host, "x-forwarded-proto": "http", "x-request-id": randomUUID(), ...envoys };
  const request = { method, headers: { ...sentHeaders(headers), ...passed }, body };
  if ("service" in at) {
    const { askService } = await import("../kube/service.ts");
    return askService(at.kubeconfig, at, { ...request, path });
  }
  const { tls } = at;
  const name = at.host.includes(":") ? `[${at.host}]` : at.host;
  const url = `${tls ? "https" : "http"}://${name}:${at.port}${path}`;
  const all = { ...request, url, ...(tls && { tls }), timeoutMs: 5000 };
  if (at.http !== 2) return httpRequest(all);
  const { http2Request } = await import("../lib/http2.ts");
  return http2Request(all);
}
