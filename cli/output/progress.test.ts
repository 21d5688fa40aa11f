import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, it } from "vitest";
import { cleanDiagnostic, labelOf, Progress, summaryOf } from "./progress.ts";

const urn = (type: string, name: string) => `urn:pulumi:local::meshup::meshup:mesh:Standalone$${type}::${name}`;
const httpbin = urn("meshup:local:Process", "httpbin");

type Kind = "resourcePreEvent" | "resOutputsEvent" | "resOpFailedEvent";
const step = (kind: Kind, op: string, urn: string, custom = true) =>
  ({ [kind]: { metadata: { op, urn, new: { custom } } } }) as unknown as EngineEvent;
const diagnostic = (severity: string, message: string, rest = {}) =>
  ({ diagnosticEvent: { severity, message, color: "never", ...rest } }) as unknown as EngineEvent;

/** The lines of events that came one after the other, 100 ms apart. */
function linesOf(...events: EngineEvent[]): string[] {
  const progress = new Progress();
  return events.flatMap((event, i) => {
    progress.onEvent(event, i * 100);
    return progress.lines(i * 100);
  });
}

describe("a resource", () => {
  it.each([
    ["create", "created"],
    ["update", "updated"],
    ["delete", "deleted"],
    ["create-replacement", "replaced"],
  ])("%s is one line at its end", (op, done) => {
    expect(linesOf(step("resourcePreEvent", op, httpbin), step("resOutputsEvent", op, httpbin))).toEqual([
      `  ${done} Process httpbin (100 ms)`,
    ]);
  });

  it("that fails says so", () => {
    expect(linesOf(step("resourcePreEvent", "create", httpbin), step("resOpFailedEvent", "create", httpbin))).toEqual([
      "  failed: creating Process httpbin (100 ms)",
    ]);
  });

  it("that takes long is named once while it is under way, and in the status", () => {
    const progress = new Progress();
    progress.onEvent(step("resourcePreEvent", "create", httpbin), 0);
    expect(progress.lines(1000)).toEqual([]);
    expect(progress.lines(2000)).toEqual(["  creating Process httpbin …"]);
    expect(progress.lines(3000)).toEqual([]);
    expect(progress.status(3000)).toBe("  3 s: creating Process httpbin 3 s");
    progress.onEvent(step("resOutputsEvent", "create", httpbin), 4000);
    expect(progress.status(4000)).toBe("");
  });

  it.each([
    ["that stays as it is", step("resourcePreEvent", "same", httpbin)],
    ["that is a component", step("resourcePreEvent", "create", httpbin, false)],
    ["that is a provider", step("resourcePreEvent", "create", urn("pulumi:providers:meshup", "default"))],
    ["whose end comes without its start", step("resOutputsEvent", "create", httpbin)],
  ])("%s is no line", (_what, event) => {
    expect(linesOf(event, step("resOutputsEvent", "create", httpbin, false))).toEqual([]);
  });
});

describe("a diagnostic", () => {
  it("that is an error is kept for the end, once, with its resource", () => {
    const progress = new Progress();
    const event = diagnostic("error", "<{%reset%}>port 8100 is in use<{%reset%}>\n", { urn: httpbin });
    for (const now of [0, 1]) progress.onEvent(event, now);
    expect(progress.errors).toEqual(["Process httpbin: port 8100 is in use"]);
    expect(progress.lines(2)).toEqual([]);
  });

  it.each([
    "update failed",
    "resource Process 'x' failed",
    "One or more errors occurred: x",
    "failed to register new resource a [b:C]: 2 UNKNOWN: resource monitor shut down\n    at c",
    "",
  ])("that says only that something failed is left out: %j", (message) => {
    const progress = new Progress();
    progress.onEvent(diagnostic("error", message), 0);
    expect(progress.errors).toEqual([]);
  });

  it.each([
    diagnostic("debug", "rpc"),
    diagnostic("info#err", "noise"),
    diagnostic("info", "still at it", { ephemeral: true }),
  ])("that nobody is to read is left out", (event) => {
    expect(linesOf(event)).toEqual([]);
  });

  it("that warns is a line", () => {
    expect(linesOf(diagnostic("warning", "warning: old V8\nsecond", { urn: httpbin }))).toEqual([
      "  warning: Process httpbin: old V8\n    second",
    ]);
  });

  it("about what a killed run has left is one short line", () => {
    const progress = new Progress();
    const text =
      "Attempting to deploy or update resources with 2 pending operations from previous deployment.\n  * urn…";
    progress.onEvent(diagnostic("warning", text), 0);
    expect(progress.lines(0)).toEqual(["  The run before was stopped half-way; this one goes on."]);
    expect(progress.sawPendingOperations).toBe(true);
  });

  it("loses colour tags and prefixes, and keeps the rest", () => {
    expect(cleanDiagnostic("<{%fg 1%}>error: <{%reset%}>a: error: b")).toBe("a: error: b");
    expect(cleanDiagnostic("Unhandled exception: Error: x\n  at y")).toBe("x\n  at y");
    const script = 'exit status 1: running "set -e\\n[ \\"a\\" ] || kind create"';
    expect(cleanDiagnostic(`error: ${script}:\nERROR: "no node"`)).toBe('ERROR: "no node"');
    expect(cleanDiagnostic(script)).toBe("exit status 1");
    expect(cleanDiagnostic("error: a: fetching YAML over network: no such host")).toBe(
      "a: fetching YAML over network: no such host\n  Behind a mirror, name it in `meshup:gatewayApi`.",
    );
    expect(cleanDiagnostic('error: error hooks execution failed: error hook "push-a" failed: x')).toBe("x");
  });
});

it("reads labels off URNs, whatever is in the name", () => {
  expect(labelOf(httpbin)).toBe("Process httpbin");
  expect(labelOf("urn:pulumi:s::p::a:b:C::x::y")).toBe("C x::y");
});

it.each([
  [{ same: 30 }, "Nothing to change: 30 resources as they were."],
  [{ same: 30, create: 0 }, "Nothing to change: 30 resources as they were."],
  [{ create: 3, same: 1 }, "4 resources: 3 created, 1 as they were."],
  [{ update: 2, replace: 1 }, "3 resources: 2 updated, 1 replaced."],
  [{}, "Nothing to change: 0 resources as they were."],
])("%j: %s", (changes, text) => {
  expect(summaryOf(changes)).toBe(text);
});

it("keeps the engine's sum", () => {
  const progress = new Progress();
  progress.onEvent({ summaryEvent: { resourceChanges: { same: 2 } } } as unknown as EngineEvent, 0);
  expect(progress.changes).toEqual({ same: 2 });
});
