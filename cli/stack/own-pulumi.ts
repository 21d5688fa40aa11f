/** What the person's own `pulumi up` makes of a stack's file otherwise than `npm start` does. */
import type { StackFile } from "../../lib/stack-file.ts";

/** What one string of the environment may have, its end included: 128 KiB in Linux (MAX_ARG_STRLEN). */
const mostBytes = 128 * 1024;

/** A note for each thing that it cannot do, or does otherwise. */
export function notesForOwnPulumi(
  file: string,
  { config, differences }: Pick<StackFile, "config" | "differences">,
  platform = process.platform,
): string[] {
  const notes = differences.length === 0 ? [] : [`${file}, as \`pulumi up\` reads it:`];
  notes.push(...differences.map(({ message }) => `  ${message}`));
  const size = Buffer.byteLength(`PULUMI_CONFIG=${JSON.stringify(handedOver(config))}\0`);
  if (platform === "linux" && size > mostBytes)
    notes.push(
      `${file} is too large for \`pulumi up\`, which hands the configuration over in its environment: it has ${group(size)} bytes there, and ${group(mostBytes - 1)} bytes are the most. The largest: ${largest(config)}. It would end with "argument list too long"; \`npm start\` has no such limit.`,
    );
  return notes;
}

/** As the language host gives it to the program: every value is text, JSON where it is no text itself. */
function handedOver(config: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

function largest(config: Record<string, unknown>): string {
  const sizes = Object.entries(handedOver(config)).map(
    ([key, text]) => [key, Buffer.byteLength(JSON.stringify(text))] as const,
  );
  const sorted = sizes.sort(([, a], [, b]) => b - a).slice(0, 3);
  return sorted.map(([key, size]) => `${key} (${group(size)} bytes)`).join(", ");
}

const group = (number: number) => number.toLocaleString("en-US");
