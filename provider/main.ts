/** The project's own Pulumi provider. The engine starts it through `pulumi-resource-meshup` and speaks gRPC with it. */
import { AsyncLocalStorage } from "node:async_hooks";
import { closeSync, writeSync } from "node:fs";
import type { CheckResult, CreateResult, DiffResult, Provider, ReadResult } from "@pulumi/pulumi/provider/provider.js";
import { main } from "@pulumi/pulumi/provider/server.js"; // a quarter of the load time of the whole SDK
import { mendable, UserError } from "../lib/errors.ts";
import { stackOf } from "../lib/stack-trace.ts";
import { EngineLog } from "./engine-log.ts";
import type { AnyResourceType, Context } from "./resource.ts";
import { type TypeName, types } from "./types.ts";
import { changedNames, hasSecret, hasUnknown, type Properties, plain, sealed } from "./values.ts";

const cancelled = new AbortController();
const engineLog = new EngineLog(process.argv.slice(2));

function contextOf(urn: string, inputs: Properties): Context {
  const secretInputs = new Set(Object.keys(inputs).filter((name) => hasSecret(inputs[name])));
  const say = (message: string) => engineLog.info(urn, message);
  return { signal: cancelled.signal, env: process.env, secretInputs, say };
}

/** The state for the engine: the inputs as received (its diffs know only outputs), and the outputs. */
function stateOf(type: AnyResourceType, inputs: Properties, outputs: object): Properties {
  const isSecret = Object.keys(type.inputs).some((name) => hasSecret(inputs[name]));
  const reveals = isSecret ? (type.reveals ?? []) : [];
  const known = Object.entries(outputs).filter(([name]) => !hasSecret(inputs[name])); // else in its wrapping already
  const entries = known.map(([name, value]) => [name, reveals.includes(name) ? sealed(value) : value]);
  return { ...inputs, ...Object.fromEntries(entries) };
}

const provider: Required<Pick<Provider, "check" | "diff" | "create" | "read" | "update" | "delete" | "cancel">> = {
  check: (urn, _olds, news): Promise<CheckResult> =>
    answer(async () => {
      await typeOf(urn);
      return { inputs: news };
    }),

  diff: (_id, urn, oldState, newInputs): Promise<DiffResult> =>
    answer(async () => {
      const type = await typeOf(urn);
      const [olds, news] = [plain(oldState), plain(newInputs)];
      const changed = changedNames(
        Object.keys(type.inputs).filter((name) => type.inputs[name] !== "ignore"),
        olds,
        news,
      );
      const replaces = changed.filter((name) => type.inputs[name] === "replace");
      const isToBeSealed = Object.keys(type.inputs).some(
        (name) => hasSecret(newInputs[name]) && !hasSecret(oldState[name]),
      );
      const changes =
        changed.length > 0 ||
        isToBeSealed ||
        hasUnknown(news) ||
        ((await type.hasDrifted?.(olds, news, contextOf(urn, newInputs))) ?? false);
      // Names, ports and files are in use until the old resource is deleted.
      return { changes, replaces, deleteBeforeReplace: true };
    }),

  create: (urn, inputs): Promise<CreateResult> =>
    answer(async () => {
      const type = await typeOf(urn);
      const news = plain(inputs);
      const outputs = await type.create(news, contextOf(urn, inputs));
      return { id: type.id(news), outs: stateOf(type, inputs, outputs) };
    }),

  update: (_id, urn, olds, news) =>
    answer(async () => {
      const type = await typeOf(urn);
      return { outs: stateOf(type, news, await type.update(plain(olds), plain(news), contextOf(urn, news))) };
    }),

  read: (id, urn, state): Promise<ReadResult> =>
    answer(async () => {
      const type = await typeOf(urn);
      if (Object.keys(state).length === 0) {
        throw new UserError("`pulumi import` is not for resources of meshup: `pulumi up` makes them");
      }
      const outputs = type.read ? await type.read(plain(state), contextOf(urn, state)) : {};
      return outputs ? { id, props: { ...state, ...stateOf(type, state, outputs) } } : { id: "", props: {} };
    }),

  delete: (_id, urn, state) => answer(async () => (await typeOf(urn)).delete?.(plain(state), contextOf(urn, state))),

  cancel: async () => cancelled.abort(new UserError("cancelled")),
};

/** The resource type of a URN: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`. */
async function typeOf(urn: string): Promise<AnyResourceType> {
  const name = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const load: (() => Promise<AnyResourceType>) | undefined = types[name as TypeName];
  if (!load) {
    throw new UserError(`meshup's provider has no resource type ${name}; it has ${Object.keys(types).join(", ")}`);
  }
  return load();
}

let underWay = 0;

/** The engine shows only an error's message. For an internal error, the stack trace is added to it. */
async function answer<T>(work: () => Promise<T>): Promise<T> {
  underWay++;
  try {
    return await work();
  } catch (error) {
    throw mendable(error) ?? new Error(stackOf(error));
  } finally {
    underWay--;
  }
}

/**
 * The engine ends its providers. If the engine is killed, its provider undoes the work in progress and ends by itself.
 */
function endWithEngine(): void {
  const engine = process.ppid;
  const look = () => {
    if (process.ppid === engine) return;
    cancelled.abort(new UserError("the engine has ended"));
    if (underWay === 0) process.exit(1);
  };
  setInterval(look, 500).unref();
}

// Pulumi's server prints errors of check, diff, read and delete with their stacks, beside returning them to the engine.
console.error = () => {};

/**
 * Pulumi's server prints the port that it listens on. The engine reads it from `fd` (see `pulumi-resource-meshup`). All
 * other output goes to standard output.
 */
function tellPortOn(fd: number, serve: () => Promise<void>): Promise<void> {
  const serving = new AsyncLocalStorage<true>();
  const { log } = console;
  console.log = (...words: unknown[]) => {
    if (!serving.getStore()) return log(...words);
    console.log = log;
    serving.disable();
    writeSync(fd, `${words[0]}\n`);
    closeSync(fd); // nothing that is started may hold on to it
  };
  return serving.run(true, serve);
}

endWithEngine();
await tellPortOn(3, () => main({ version: "0.1.0", ...provider }, process.argv.slice(2)));
