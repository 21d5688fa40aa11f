import { expect, it } from "vitest";
import { longestSteps } from "./steps.ts";

const progress = `Bringing up stack dev with Pulumi 3.259.0
  creating Command kind …
  created Module filter (850 ms)
  created Command kind (1 min 2 s)
  warning: something (9 s)
  created Release envoy-gateway (9.1 s)
  updated CustomResource route-one (61 s)
`;

it("lists the longest first", () => {
  expect(longestSteps(progress, 3)).toEqual([
    "created Command kind 1 min 2 s",
    "updated CustomResource route-one 61 s",
    "created Release envoy-gateway 9.1 s",
  ]);
});

it("finds none where a command did nothing", () => expect(longestSteps("Bringing up stack dev\n", 3)).toEqual([]));
