/** The engine's events as lines that a person reads. Pure: events and the time go in, lines come out. */
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { duration } from "./terminal.ts";

/** Milliseconds after which a resource that is still under way is named. */
const longMs = 1500;

const verbs: Record<string, [doing: string, done: string]> = {
  create: ["creating", "created"],
  update: ["updating", "updated"],
  delete: ["deleting", "deleted"],
  replace: ["replacing", "replaced"],
  "create-replacement": ["replacing", "replaced"],
  "delete-replaced": ["deleting the old", "deleted the old"],
  read: ["reading", "read"],
  refresh: ["refreshing", "refreshed"],
  import: ["importing", "imported"],
};

interface UnderWay {
  label: string;
  doing: string;
  done: string;
  since: number;
  named: boolean;
}

export class Progress {
  /** Number of resources by what was done to them, once the engine has summed up. */
  changes: Record<string, number> = {};
  /** What went wrong, each once, without the engine's trimmings. */
  readonly errors: string[] = [];
  /** A run before this one was killed while it worked on something. */
  sawPendingOperations = false;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #pending: string[] = [];
  readonly #said = new Set<string>();
  #began: number | undefined;

  /** @param now milliseconds of any steady clock */
  onEvent(event: EngineEvent, now: number): void {
    this.#began ??= now;
    const { resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent, summaryEvent } = event;
    if (resourcePreEvent && !resourcePreEvent.planning) this.#start(resourcePreEvent.metadata, now);
    if (resOutputsEvent && !resOutputsEvent.planning) this.#end(resOutputsEvent.metadata, now, false);
    if (resOpFailedEvent) this.#end(resOpFailedEvent.metadata, now, true);
    if (diagnosticEvent) this.#diagnose(diagnosticEvent);
    if (summaryEvent) this.changes = { ...summaryEvent.resourceChanges };
  }

  /** The lines that are new since the last call. */
  lines(now: number): string[] {
    for (const work of this.#underWay.values()) {
      if (work.named || now - work.since < longMs) continue;
      work.named = true;
      this.#pending.push(`  ${work.doing} ${work.label} …`);
    }
    return this.#pending.splice(0);
  }

  /** What is under way, in one line. */
  status(now: number): string {
    const all = [...this.#underWay.values()];
    if (all.length === 0) return "";
    const work = all.map(({ doing, label, since }) => `${doing} ${label} ${Math.round((now - since) / 1000)} s`);
    return `  ${Math.round((now - (this.#began ?? now)) / 1000)} s: ${work.join(", ")}`;
  }

  #start({ op, urn, ...states }: Step, now: number): void {
    const words = verbs[op];
    const isComponent = !(states.new ?? states.old)?.custom; // it does no work of its own
    if (!words || isComponent || !isOfInterest(urn)) return;
    const [doing, done] = words;
    this.#underWay.set(urn, { label: labelOf(urn), doing, done, since: now, named: false });
  }

  #end({ op, urn }: Step, now: number, failed: boolean): void {
    const work = this.#underWay.get(urn);
    if (!work) return;
    this.#underWay.delete(urn);
    const words = verbs[op]?.[1] ?? work.done;
    this.#pending.push(`  ${failed ? `failed: ${work.doing}` : words} ${work.label} (${duration(now - work.since)})`);
  }

  #diagnose({ severity, message, urn, ephemeral }: Diagnostic): void {
    if (ephemeral || !["error", "warning", "info"].includes(severity)) return;
    const text = cleanDiagnostic(message);
    if (/with \d+ pending operations? from previous deployment/.test(text)) {
      if (!this.sawPendingOperations) this.#pending.push("  The run before was stopped half-way; this one goes on.");
      this.sawPendingOperations = true;
      return;
    }
    if (text === "" || isNoise(text) || this.#said.has(text)) return;
    this.#said.add(text);
    const label = urn && isOfInterest(urn) ? `${labelOf(urn)}: ` : "";
    if (severity === "error") this.errors.push(`${label}${text}`);
    else this.#pending.push(`  ${severity === "warning" ? "warning: " : ""}${label}${text.replaceAll("\n", "\n    ")}`);
  }
}

type Step = Pick<NonNullable<EngineEvent["resourcePreEvent"]>["metadata"], "op" | "urn" | "old" | "new">;
type Diagnostic = NonNullable<EngineEvent["diagnosticEvent"]>;

/** `urn:pulumi:local::meshup::meshup:local:Mesh$meshup:local:Process::httpbin` → `Process httpbin` */
export function labelOf(urn: string): string {
  const [, , types = "", ...name] = urn.split("::");
  return `${types.split("$").at(-1)?.split(":").at(-1) ?? types} ${name.join("::")}`;
}

/** The stack itself and providers come and go with the rest. */
function isOfInterest(urn: string): boolean {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  return type !== "pulumi:pulumi:Stack" && !type.startsWith("pulumi:providers:");
}

/** Without the engine's colour tags, what it puts at the front (`error: `), and a Command's whole script. */
export function cleanDiagnostic(message: string): string {
  const text = message
    .replace(/<\{%[^%]*%\}>/g, "")
    .trim()
    .replace(/^(error|warning|info): /, "")
    .replace(/^Unhandled exception: (Error: )?/, "")
    .replace(/^error hooks execution failed: error hook "[^"]*" failed: /, "")
    .replace(/^.*: fetching YAML over network: .*$/m, "$&\n  Behind a mirror, name it in `meshup:gatewayApi`.")
    .trim();
  const [, status, said] = /^(exit status \d+): running "(?:[^"\\]|\\.)*"(?::\s*([\s\S]+))?$/.exec(text) ?? [];
  return said ?? status ?? text;
}

/** What the engine says of every failure, beside the reason. */
function isNoise(text: string): boolean {
  return (
    /^(update|preview|destroy|resource .*) failed$/.test(text) ||
    /^update cancelled$/i.test(text) ||
    /^One or more errors occurred/.test(text) ||
    /^Running program .* failed with an unhandled exception/.test(text) ||
    /^failed to register new resource .* resource monitor shut down/.test(text)
  );
}

/** `12 resources: 3 created, 1 updated, 8 as they were` */
export function summaryOf(changes: Record<string, number>): string {
  const { same = 0, ...rest } = changes;
  const total = Object.values(changes).reduce((sum, n) => sum + n, 0);
  const done = Object.entries(rest).filter(([, n]) => n > 0);
  if (done.length === 0) return `Nothing to change: ${total} resources as they were.`;
  const parts = done.map(([op, n]) => `${n} ${verbs[op]?.[1] ?? op}`);
  return `${total} resources: ${[...parts, ...(same > 0 ? [`${same} as they were`] : [])].join(", ")}.`;
}
