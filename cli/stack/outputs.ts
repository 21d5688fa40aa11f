/** A stack's outputs, two ways: as they are, for use, and as they may be shown. */
import type { Output } from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import { wire } from "../../lib/pulumi-insides.ts";
import { neverPrint } from "../../lib/redact.ts";
import { hasSecret } from "../../provider/values.ts";
import type { Terminal } from "../output/terminal.ts";
import { type Deployment, Stack } from "./stack.ts";

export interface Outputs {
  known: Record<string, unknown>;
  /** What is secret is `[secret]`. */
  shown: Record<string, unknown>;
}

const hidden = "[secret]";

/** The outputs in a state as they may be shown; empty before the first `up`. */
export function outputsOf(deployment: Deployment | undefined): Record<string, unknown> {
  return hide(rawOutputs(deployment)) as Record<string, unknown>;
}

function rawOutputs(deployment: Deployment | undefined): Record<string, unknown> {
  return deployment?.resources?.find((r) => r.type === "pulumi:pulumi:Stack")?.outputs ?? {};
}

function hide(value: unknown): unknown {
  if (!hasSecret(value)) return value;
  if (Array.isArray(value)) return value.map(hide);
  const properties = value as Record<string, unknown>;
  if (!Object.values(properties).some(hasSecret)) return hidden; // it is a secret itself
  return Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, hide(inner)]));
}

/**
 * The outputs in a state. Where there are secrets, the engine is asked for them, and none of them is printed from then on.
 * @throws UserError when they cannot be decrypted
 */
export async function openOutputs(
  name: string,
  deployment: Deployment | undefined,
  terminal: Terminal,
): Promise<Outputs> {
  const shown = outputsOf(deployment);
  if (!hasSecret(rawOutputs(deployment)) && !secretsIn(deployment)) return { known: shown, shown };
  const state = await (await Stack.open(name, terminal)).openState();
  const known = opened(rawOutputs(state)) as Record<string, unknown>;
  dontPrint(known.secrets); // of a stack that older code has brought up
  dontPrint(opened(secretsIn(state)?.outputs?.known));
  return { known, shown };
}

/** What the stack's own configuration has had for secrets; an update that fails has no outputs, but it has this. */
function secretsIn(deployment: Deployment | undefined) {
  return deployment?.resources?.find(({ type }) => type === "meshup:index:Secrets");
}

function dontPrint(secrets: unknown): void {
  if (Array.isArray(secrets)) neverPrint(secrets.map(String));
  else if (secrets !== undefined) throw new UserError("The stack's output `secrets` is not a list of texts.");
}

/** The plain value of what the engine shows with its secrets. */
export function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== "object" || value === null) return value;
  const properties = value as Record<string, unknown>;
  if (properties[wire.signature] === wire.secret) return opened(JSON.parse(String(properties.plaintext)));
  return Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, opened(inner)]));
}

/** The outputs of the program that has run in this process. */
export async function resolveOutputs(
  outputs: unknown,
  sdk: Pick<typeof import("@pulumi/pulumi"), "Output" | "output" | "isSecret">,
): Promise<Outputs> {
  const resolve = async (value: unknown): Promise<{ known: unknown; shown: unknown }> => {
    if (sdk.Output.isInstance(value) || value instanceof Promise) {
      const output = sdk.output(value) as Output<unknown>;
      const [known, isSecret] = await Promise.all([
        new Promise<unknown>((done) => output.apply(done)),
        sdk.isSecret(output),
      ]);
      return { known, shown: isSecret ? hidden : known };
    }
    if (typeof value !== "object" || value === null) return { known: value, shown: value };
    const keys = Object.keys(value);
    const inner = await Promise.all(Object.values(value).map(resolve));
    const collect = (what: "known" | "shown") =>
      Array.isArray(value)
        ? inner.map((one) => one[what])
        : Object.fromEntries(keys.map((key, i) => [key, inner[i]?.[what]]).filter(([, one]) => one !== undefined));
    return { known: collect("known"), shown: collect("shown") };
  };
  return (await resolve(outputs)) as Outputs;
}
