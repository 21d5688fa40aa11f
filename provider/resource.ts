/**
 * How a resource type is written in this provider: a table of its inputs, and functions for what Pulumi asks of it.
 * `main.ts` does what all types have in common.
 */

/** What a changed input does: `update` in place; `replace` deletes and creates; `ignore` takes effect with the next change. */
export type OnChange = "update" | "replace" | "ignore";

/** What a function of a resource type may use beside the resource's own state. */
export interface Context {
  /** Fires when the person cancels (Ctrl-C): stop waiting, undo, throw. */
  signal: AbortSignal;
  env: NodeJS.ProcessEnv;
  /** Names of the inputs that are secrets, or have one in them: their values are not to be told in errors. */
  secretInputs?: ReadonlySet<string>;
  /** Tells the person something while the work goes on. */
  say?: (message: string) => void;
}

/**
 * A resource type. State is inputs and outputs together: Pulumi's TypeScript server hands only the old *outputs* to a
 * diff, so `main.ts` repeats the inputs in them.
 */
export interface ResourceType<Inputs extends object, Outputs extends object> {
  /** Every input and what a change of it does. */
  inputs: Record<keyof Inputs, OnChange>;
  /** Outputs that may show what stands in the inputs: where an input is a secret, they are secrets too. */
  reveals?: (keyof Outputs)[];
  /** The resource's ID in Pulumi's state. */
  id(inputs: Inputs): string;
  /** Makes it, or takes over what an interrupted `up` left behind. All or nothing: a failure leaves no trace. */
  create(inputs: Inputs, context: Context): Promise<Outputs>;
  update(olds: Inputs & Outputs, news: Inputs, context: Context): Promise<Outputs>;
  /** Looks at the world: true when it is no longer as the state says, so that a plain `up` (no refresh) mends it. */
  hasDrifted?(olds: Inputs & Outputs, news: Inputs, context: Context): Promise<boolean>;
  /** For `pulumi refresh`: the outputs as they are now; undefined when the resource is gone. */
  read?(state: Inputs & Outputs, context: Context): Promise<Outputs | undefined>;
  delete?(state: Inputs & Outputs, context: Context): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: the table holds types of different shapes; each is checked where it is defined
export type AnyResourceType = ResourceType<any, any>;
