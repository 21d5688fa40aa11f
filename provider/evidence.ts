/**
 * `meshup:index:Evidence`: what is to show that a filter runs, and whether that would show anything, before the filter is
 * attached: its request goes straight to the workload, past every proxy, and what comes is what there is without it.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../lib/errors.ts";
import { type HttpResponse, httpRequest } from "../lib/http.ts";
import { evidence } from "../proof/evidence.ts";
import type { ProofRequest } from "../proof/request.ts";
import { sentHeaders } from "../proof/request.ts";
import type { Context, ResourceType } from "./resource.ts";
import type { Baseline, EvidenceInputs, EvidenceOutputs, Straight } from "./types.ts";

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

/** As a proxy passes it on, as far as a workload may repeat it. */
async function send({ method, headers, body }: ProofRequest, straight: Straight): Promise<HttpResponse> {
  const { at, path, host } = straight;
  const passed = { host, "x-forwarded-proto": "http", "x-request-id": randomUUID() };
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
