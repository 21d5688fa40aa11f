/**
 * `meshup:index:Evidence`: decides what proves that a filter runs, and whether it would prove anything, before the
 * filter is attached. The filter's request goes directly to the workload, past every proxy. The answer shows the
 * response without the filter.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LastingError, UserError } from "../lib/errors.ts";
import { type HttpResponse, httpRequest, UnendedResponse } from "../lib/http.ts";
import type { Found } from "../proof/evidence.ts";
import { evidence } from "../proof/evidence.ts";
import type { Expectation } from "../proof/expectation.ts";
import type { ProofRequest } from "../proof/request.ts";
import { sentHeaders } from "../proof/request.ts";
import type { Context, ResourceType } from "./resource.ts";

/** An address where a request is answered without any proxy, and so without filters. */
export interface Straight {
  /** The workload's name, for messages. */
  workload: string;
  /** The path that the workload receives through the proxy. */
  path: string;
  /** The Host header. */
  host: string;
  at:
    | { host: string; port: number; tls?: { serverName: string; authorities?: string }; http: 1 | 2 | "both" }
    | { kubeconfig: string; namespace: string; service: string; port: number; http?: 2 };
}

export interface EvidenceInputs {
  /** The filter's name. */
  filter: string;
  /** False: no request is sent, and nothing is proved. */
  request: ProofRequest | false;
  /** As declared. If missing, the expectation is taken from `found`. */
  expect?: Expectation;
  /** What the host in Node has found. Missing if it has not run the filter. */
  found?: Found;
  /** Missing if the filter is attached before its workload exists. */
  straight?: Straight;
  /** The thing to attach, of any shape. */
  subject: unknown;
  /**
   * What happens if nothing would prove the filter. `keep`: what is attached already (perhaps nothing) stays, with the
   * reason. `fail`: an error.
   */
  otherwise: "keep" | "fail";
}

/** The workload's answer without the filter. */
export interface Baseline {
  status: number;
  headers: Record<string, string>;
  /** The beginning of the body. */
  body: string;
}

export interface EvidenceOutputs {
  /** What the response must look like. */
  expected: Expectation;
  /**
   * What may be attached: the subject; or the previous one, if nothing would prove the new one; or null for nothing.
   */
  attached: unknown;
  /** Why nothing would prove the filter, and what to do. */
  problem?: string;
  /** Missing if the workload does not answer. */
  baseline?: Baseline;
  /** Why the workload can never be asked with these inputs, as a warning. */
  unaskable?: string;
}

/** Number of characters of a body that are kept. The expectation is compared with the whole body. */
const keptBody = 16_384;
/** A server that has just become ready may fail its first requests. */
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
  reveals: ["expected", "attached", "problem", "baseline", "unaskable"],
  id: ({ filter }) => filter,
  create: (inputs, context) => examine(inputs, undefined, context),
  update: (olds, news, context) => examine(news, olds, context),
  // If the workload did not answer, it is asked again.
  hasDrifted: async ({ baseline, unaskable }, { straight }) =>
    straight !== undefined && baseline === undefined && unaskable === undefined,
};

/** Headers that the proxies of a mesh add to each request. Kubernetes' API adds the headers that name the client. */
const inClusters = {
  "x-envoy-attempt-count": "1",
  "x-envoy-expected-rq-timeout-ms": "15000",
  "x-envoy-external-address": "127.0.0.1",
  "x-envoy-internal": "true",
};

/** @param before the previous outputs, which stay in use if nothing would prove the new filter */
async function examine(
  inputs: EvidenceInputs,
  before: EvidenceOutputs | undefined,
  { signal, secretInputs }: Context,
): Promise<EvidenceOutputs> {
  const { filter, request, expect, found, straight, subject, otherwise } = inputs;
  const { response, lasting }: Asked = request && straight ? await ask(request, straight, signal) : {};
  const secret = ["expect", "found", "request"].some((name) => secretInputs?.has(name));
  const shown = straight && `${straight.path} of ${straight.workload}`;
  const args = { filter, request, expect, found, address: shown, straight: response, isSecret: secret };
  const { expect: expected, problem } = evidence(args);
  if (problem !== undefined && otherwise === "fail") throw new UserError(problem);
  const baseline: Baseline | undefined = response && { ...response, body: response.body.slice(0, keptBody) };
  const unaskable = lasting && unaskableText(filter, straight?.workload, lasting);
  const kept = { ...(baseline && { baseline }), ...(unaskable && { unaskable }) };
  // A preview treats a missing output as unknown.
  if (problem === undefined) return { expected, attached: subject, problem: "", ...kept };
  return { expected: before?.expected ?? expected, attached: before?.attached ?? null, problem, ...kept };
}

/** Empty if nobody answers yet: the proof reports the cause. */
interface Asked {
  response?: HttpResponse;
  /** Why there never will be one. */
  lasting?: string;
}

async function ask(request: ProofRequest, straight: Straight, signal: AbortSignal): Promise<Asked> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { response: await send(request, straight) };
    } catch (error) {
      const lasting = lastingReason(error);
      if (lasting !== undefined) return { lasting };
      if (attempt === attempts || signal.aborted) return {};
      await sleep(200 * attempt);
    }
  }
}

/** Why it is no use to ask again, without a value of the request; undefined for what may pass. */
function lastingReason(error: unknown): string | undefined {
  if (error instanceof LastingError) return error.message;
  if (error instanceof UnendedResponse) return "its response does not end";
  const { code = "" } = error as NodeJS.ErrnoException;
  // A connection that ends within the headers is one that breaks off.
  if (code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE") return "what it answers is not HTTP/1";
  if (code === "ERR_HTTP2_ERROR") return "what it answers is not HTTP/2";
  return undefined;
}

function unaskableText(filter: string, workload: string | undefined, why: string): string {
  return [
    `filter "${filter}": the workload ${workload} cannot be asked what it answers without the filter: ${why}.`,
    "  So it is not known whether what is expected is there without the filter. In meshup:filters, `expect` what only the filter sets, or send another `request`.",
  ].join("\n");
}

/**
 * Sends the request as a proxy passes it on, with the headers that a workload may repeat in its answer: they prove
 * nothing about a filter.
 */
async function send({ method, headers, body }: ProofRequest, straight: Straight): Promise<HttpResponse> {
  const { at, path, host } = straight;
  const envoys = { "x-envoy-original-path": path, ...("service" in at && inClusters) };
  const passed = { host, "x-forwarded-proto": "http", "x-request-id": randomUUID(), ...envoys };
  const request = { method, headers: { ...sentHeaders(headers), ...passed }, body };
  if ("service" in at) {
    const { askService } = await import("../kube/service.ts");
    return askService(at.kubeconfig, at, { ...request, path, http: at.http });
  }
  const { tls } = at;
  const name = at.host.includes(":") ? `[${at.host}]` : at.host;
  const url = `${tls ? "https" : "http"}://${name}:${at.port}${path}`;
  const all = { ...request, url, ...(tls && { tls }), timeoutMs: 5000 };
  if (at.http !== 2) return httpRequest(all);
  const { http2Request } = await import("../lib/http2.ts");
  return http2Request(all);
}
