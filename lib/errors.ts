import { diskProblem } from "./disk.mjs";

/**
 * An error that the person at the terminal can mend: its message says what is wrong, where, and what to do.
 * It is shown without a stack trace; every other error is a defect of ours and shows one.
 */
export class UserError extends Error {
  override name = "UserError";
  /** Pulumi shows an error of its program with this mark (its `RunError`) without the stack. */
  readonly __pulumiRunError = true;
}

/** It is no matter of time: whoever asks again with the same inputs fails again. */
export class LastingError extends UserError {}

/** A disk that is full, or that is not to be written to. */
export class DiskError extends UserError {}

/** The error where the person can mend it. */
export function mendable(error: unknown): UserError | undefined {
  if (error instanceof UserError) return error;
  const problem = diskProblem(error);
  return problem === undefined ? undefined : new DiskError(problem);
}

/** Whether it tells of a disk without room. */
export function isDiskFull(error: unknown): boolean {
  return /\((ENOSPC|EDQUOT)\)/.test(mendable(error)?.message ?? "");
}

/** The message of anything that was thrown. A connection that failed on each of a host's addresses has one for each. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
