import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleHash } from "../toolchain/bundle.ts";
import { dockerfileText, serviceContextType } from "./service-context.ts";

const context = { signal: new AbortController().signal, env: process.env };
const inputs = { entry: "services/echo.ts", sourceHash: bundleHash("services/echo.ts"), from: "example.com/node:22" };

test("a folder with all that the image is made from, which its user can read", async () => {
  const made = await serviceContextType.create(inputs, context);
  expect(made.tag).toMatch(/^[0-9a-f]{64}$/);
  expect(made.context.endsWith(made.tag)).toBe(true);
  expect(readFileSync(join(made.context, "Dockerfile"), "utf8")).toBe(dockerfileText(inputs.from));
  const service = join(made.context, "service.mjs");
  expect(statSync(service).mode & 0o777).toBe(0o644);
  expect(readFileSync(service, "utf8")).toContain("createServer");
});

test("the same again is the same folder; two at once do not get in each other's way", async () => {
  const first = await serviceContextType.create(inputs, context);
  rmSync(first.context, { recursive: true });
  expect(await serviceContextType.hasDrifted?.({ ...inputs, ...first }, inputs, context)).toBe(true);
  const both = await Promise.all([
    serviceContextType.create(inputs, context),
    serviceContextType.update({ ...inputs, ...first }, inputs, context),
  ]);
  expect(both).toEqual([first, first]);
  expect(existsSync(join(first.context, "service.mjs"))).toBe(true);
  expect(await serviceContextType.hasDrifted?.({ ...inputs, ...first }, inputs, context)).toBe(false);
});

test("another base image, or another service, is another folder", async () => {
  const made = await Promise.all([
    serviceContextType.create(inputs, context),
    serviceContextType.create({ ...inputs, from: "example.com/node:24" }, context),
    serviceContextType.create({ ...inputs, entry: "services/bursting-metrics.ts" }, context),
  ]);
  expect(new Set(made.map(({ tag }) => tag)).size).toBe(3);
});

test("the image runs as a number that is not root's", () => {
  expect(dockerfileText("node").trimEnd().split("\n")).toEqual([
    "FROM node",
    "COPY service.mjs /service.mjs",
    "USER 1000:1000",
    'CMD ["node", "/service.mjs"]',
  ]);
});
