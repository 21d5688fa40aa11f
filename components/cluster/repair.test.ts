import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { upgradeReleases } from "./repair.ts";

it("changes a description of the releases that are to be upgraded, and of nothing else", async () => {
  const made: Record<string, unknown> = {};
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      made[`${type} ${name}`] = inputs.description;
      return { id: name, state: inputs };
    },
    call: ({ token }) => {
      throw new Error(`the mock knows no function ${token}`);
    },
  });
  await pulumi.runtime.runInPulumiStack(async () => {
    upgradeReleases({ releases: ["broken"] });
    for (const name of ["broken", "whole"]) new kubernetes.helm.v3.Release(name, { chart: "c", skipAwait: true });
    new kubernetes.core.v1.ConfigMap("broken", {});
    return {};
  });
  await pulumi.runtime.disconnect();
  expect(made).toMatchObject({
    "kubernetes:helm.sh/v3:Release broken": expect.stringMatching(/^mended \d{4}-/),
    "kubernetes:helm.sh/v3:Release whole": undefined,
    "kubernetes:core/v1:ConfigMap broken": undefined,
  });
});
