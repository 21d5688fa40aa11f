import * as pulumi from "@pulumi/pulumi";
import { expect, onTestFinished, test, vi } from "vitest";
import { proofRequest } from "../../proof/request.ts";
import type { Filter } from "../filter/filter.ts";
import { listMade } from "../testing/made.ts";
import type { BackendRoute, HttpVersions } from "../workloads/backend.ts";

const filter = {
  declaration: { name: "mine", target: { gateway: true }, expect: { "x-a": "1" } },
  request: proofRequest(),
} as unknown as Filter;

/** @returns what the workload, a Service, is asked with */
async function showing(http: HttpVersions, outputs: object = {}) {
  const { one } = await listMade({ "meshup:index:Evidence": ({ subject }) => ({ attached: subject, ...outputs }) });
  const { show } = await import("./shown.ts");
  const at = { type: "service", namespace: "shop", service: "cart", port: 80, http } as const;
  const routes: BackendRoute[] = [{ name: "one", path: "/one", rewrite: true, backend: { name: "cart", at } }];
  const args = { url: "http://localhost:10000", routes, kubeconfig: "/kubeconfig", otherwise: "keep" } as const;
  const { evidence } = show(filter, { digest: "d" }, args, {});
  await new Promise((resolve) => pulumi.all([evidence.urn, evidence.unaskable]).apply(resolve));
  return one("Evidence", "mine").straight.at;
}

test("a Service is asked by HTTP/2 where it speaks nothing else; the inputs of all others are as they were", async () => {
  const at = { kubeconfig: "/kubeconfig", namespace: "shop", service: "cart", port: 80 };
  expect(await showing(2)).toEqual({ ...at, http: 2 });
  expect(await showing(1)).toEqual(at);
  expect(await showing("both")).toEqual(at);
});

test("that a workload can never be asked is a warning; of a state that knows nothing of it, there is none", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  onTestFinished(() => warn.mockRestore());
  await showing(1);
  expect(warn).not.toHaveBeenCalled();
  await showing(1, { unaskable: "the Service selects no pods" });
  expect(warn).toHaveBeenCalledWith("the Service selects no pods", expect.anything());
});
