import * as pulumi from "@pulumi/pulumi";
import type { Straight } from "../../provider/evidence.ts";
import { type ArgsOf, Evidence, Proof } from "../../provider/resources.ts";
import type { Filter } from "../filter/filter.ts";
import type { BackendRoute } from "../workloads/backend.ts";
import type { FilterFields } from "./mesh.ts";
import { type Request, requestFor } from "./targets.ts";

export interface ShowArgs {
  /** Where the gateway answers. */
  url: string;
  routes: BackendRoute[];
  /** The cluster that its workload is in, where it is a Service. */
  kubeconfig?: pulumi.Input<string>;
  /**
   * Where nothing would show the filter: `fail`, and what is attached stays as it is; or `keep`, for an object that other
   * filters are in, too: they go on, and the filter's proof fails.
   */
  otherwise: "keep" | "fail";
  /** False: its workload is not there yet, and cannot be asked. */
  asks?: boolean;
}

/** What may be attached has the sha256 of its code, whatever else it is. */
export interface Attachable {
  digest: string;
}

/** A filter, what is to show it, and what of it may be attached. */
export interface Shown<T extends Attachable> {
  filter: Filter;
  /** None where no route leads to it. */
  request: Request | undefined;
  /** What is to be attached; null: nothing, since nothing would show it. */
  attached: pulumi.Output<T | null>;
  evidence: Evidence;
}

/**
 * Sees to it, before a filter is attached, that something will show it.
 * @param subject what is to be attached, of any shape
 */
export function show<T extends Attachable>(
  filter: Filter,
  subject: pulumi.Input<T>,
  { url, routes, kubeconfig, otherwise, asks = true }: ShowArgs,
  opts: pulumi.CustomResourceOptions & { name?: string },
): Shown<T> {
  const { declaration, found } = filter;
  const { name, target, expect } = declaration;
  const request = requestFor(target, url, routes, filter.request);
  const isSent = declaration.request !== false && request !== undefined;
  const evidence = new Evidence(
    opts.name ?? name,
    {
      filter: name,
      request: isSent ? filter.request : false,
      expect,
      found,
      straight: isSent && asks ? straightTo(request, kubeconfig) : undefined,
      subject,
      otherwise,
    },
    opts,
  );
  evidence.unaskable.apply((why) => why && pulumi.log.warn(why, evidence));
  // The provider gives back a subject as it has got it, of whatever shape.
  const attached = evidence.attached as pulumi.Output<T | null>;
  return { filter, request, attached, evidence };
}

function straightTo({ straight }: Request, kubeconfig: pulumi.Input<string> | undefined): pulumi.Input<Straight> {
  const { backend, path, host } = straight;
  const { at, name: workload } = backend;
  if (at.type === "url") {
    const { host: address, port, tls, http } = at;
    return { workload, path, host, at: { host: address, port, http, ...(tls && { tls }) } };
  }
  const { namespace, service, port, http } = at;
  // Only where it matters: a new input would be a change to every other stack.
  const spoken = http === 2 && { http };
  if (kubeconfig === undefined) throw new Error(`${workload} is a Service, and the mesh is in no cluster`);
  return pulumi
    .output(kubeconfig)
    .apply((kubeconfig) => ({ workload, path, host, at: { kubeconfig, namespace, service, port, ...spoken } }));
}

/** Sends its request through the mesh. @returns what the stack tells of the filter */
export function proveShown<T extends Attachable>(
  { filter, request, evidence, attached }: Shown<T>,
  args: Pick<ArgsOf<"meshup:index:Proof">, "process" | "cluster" | "timeoutMs"> & {
    image?: pulumi.Input<string | undefined>;
  },
  opts: pulumi.CustomResourceOptions,
): FilterFields {
  const { name, request: declared } = filter.declaration;
  const { image, ...rest } = args;
  const expect = evidence.expected;
  const problem = evidence.problem.apply((text) => text || undefined);
  // A module's digest is no secret, whatever else is known of the filter.
  const digest = pulumi.unsecret(pulumi.all([attached, filter.digest]).apply(([one, digest]) => one?.digest ?? digest));
  const common = { name, digest, delivery: filter.delivery, image, expect };
  if (!request) return { ...common, request: false };
  const { url, method, headers, body } = request;
  const send = declared === false ? { send: false } : {};
  const proof = new Proof(
    name,
    { filter: name, url, method, headers, body, expect, problem, digest, ...send, ...rest },
    opts,
  );
  return { ...common, url: proof.url, headers, request: declared === false ? false : filter.request };
}
