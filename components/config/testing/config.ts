import { parseConfig } from "../config.ts";

export const route = { name: "one", path: "/one", workload: "httpbin" };
export const filter = { name: "custom", module: "./filter", root: "add_header_root", target: { route: "one" } };

/** As Pulumi hands a configuration over: objects and numbers as JSON, text as it is. */
export function encode(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, v]) => [key, typeof v === "string" ? v : JSON.stringify(v)]),
  );
}

export const read = (values: Record<string, unknown>) =>
  parseConfig(encode({ mesh: "standalone", routes: [route], ...values }), "local");
export const problems = (values: Record<string, unknown>) => {
  try {
    read(values);
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.trim());
  }
  return [];
};

export function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
