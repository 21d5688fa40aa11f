import { z } from "zod";
import { isMapping } from "../../lib/mapping.ts";
import { name } from "../config/names.ts";
import { demoNames } from "./demo.ts";

const port = z.number().int().min(1).max(65535);
const serviceName = z
  .string()
  .regex(
    /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/,
    "a Service's name begins with a letter, and has letters, digits and dashes",
  );
const path = z.string().regex(/^\/\S*$/, 'a path such as "/healthz"');

/** Variables of the environment, by name: text, or a secret of the stack's configuration. */
const env = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name has letters, digits and underscores"),
    z.union(
      [z.string(), z.number().transform(String), z.boolean().transform(String), z.strictObject({ secret: z.string() })],
      "text, or { secret: KEY }",
    ),
  )
  .default({});
export type DeclaredEnv = z.infer<typeof env>;

/** It speaks HTTP/2 in plain text, as servers of gRPC do. Without it, HTTP/1. */
const http2 = z.boolean().default(false);

const commandForm = 'a list, [PROGRAM, ARGUMENT, …], such as ["npm", "run", "dev"]: there is no shell';

const command = z.strictObject({
  /** Program and arguments, run without a shell. */
  command: z.array(z.string(), commandForm).min(1, commandForm),
  /** Where it is to listen, on 127.0.0.1: told to it as `PORT`, and 127.0.0.1 as `HOST`. */
  port: port.min(1024),
  env,
  /** Where it runs; relative to the clone. */
  directory: z.string().min(1).default("."),
  /** It is ready when this path answers 2xx. Default: when its port takes a connection. */
  healthPath: path.optional(),
  http2,
});

const url = z.strictObject({
  /** Where it answers: `https://api.example.com`; requests go below its path. */
  url: z.string().superRefine(checkUrl),
  /** A file (PEM) of certificate authorities, one of which has to have signed its certificate; relative to the clone.
   * Default: those of the system. */
  ca: z.string().min(1).optional(),
  /** The name that is asked for in TLS (SNI), and that its certificate is to have. Default: the address's host. */
  sni: z.string().min(1).optional(),
  /** The Host header that it is sent. Default: the address's host and port; of this machine the request's own. */
  host: z.string().min(1).optional(),
});

/** A Service that is in the cluster. */
const service = z.strictObject({
  service: z.strictObject({ namespace: name.default("default"), name: serviceName, port }),
});

/** What the stack deploys, as a Deployment and a Service of the workload's name. */
const deployed = {
  /** Where its container listens: told to it as `PORT`, and 0.0.0.0 as `HOST`. */
  port,
  env,
  /** It is ready while this path answers 2xx. Default: while its port takes connections. */
  healthPath: path.optional(),
  http2,
};

const image = z.strictObject({
  /** As the nodes pull it: `ghcr.io/me/app:1.2`. */
  image: z.string().regex(/^\S+$/, 'an image such as "ghcr.io/me/app:1.2"'),
  ...deployed,
  /** To pull it with: a Secret's name in the namespace `default`, or a secret of the stack's configuration in the form of
   * Docker's config.json. */
  pullSecret: z.union([name, z.strictObject({ secret: z.string() })], "a Secret's name, or { secret: KEY }").optional(),
});

const build = z.strictObject({
  /** A folder with a Dockerfile; relative to the clone. */
  build: z.string().min(1),
  ...deployed,
});

const kinds = { command, service, image, build, url };
export type Kind = keyof typeof kinds;

/** A person's own workload. Exactly one of its keys names its kind. */
export type DeclaredWorkload = { [K in Kind]: { kind: K } & z.infer<(typeof kinds)[K]> }[Kind];
export type Declaration<K extends Kind> = Extract<DeclaredWorkload, { kind: K }>;

const workload = z.unknown().transform((value, ctx): DeclaredWorkload => {
  const named = (Object.keys(kinds) as Kind[]).filter((kind) => isMapping(value) && kind in value);
  const [kind] = named;
  if (kind === undefined || named.length > 1) {
    ctx.addIssue(`exactly one of ${Object.keys(kinds).join(", ")}, and what goes with it`);
    return z.NEVER;
  }
  const result = kinds[kind].safeParse(value, { reportInput: true });
  if (result.success) return { kind, ...result.data } as DeclaredWorkload;
  ctx.issues.push(...(result.error.issues as z.core.$ZodRawIssue[]));
  return z.NEVER;
});

/** A person's own workloads, by name: `meshup:workloads`. */
export const workloadsSchema = z.record(name, workload);
export type DeclaredWorkloads = z.infer<typeof workloadsSchema>;

/** `http://host:port/path` */
function checkUrl(text: string, ctx: z.RefinementCtx): void {
  const example = 'an address such as "http://localhost:3000" or "https://api.example.com"';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) return void ctx.addIssue(example);
  if (url.username !== "" || url.password !== "")
    ctx.addIssue("has no room for a password: a filter, or the workload itself, asks for one");
  if (url.search !== "" || url.hash !== "") ctx.addIssue(`${example}, without ? and #`);
}

export interface Declared {
  workloads?: Record<string, unknown>;
  /** The demo's workloads are there, too. Default: where the stack declares none of its own. */
  demo?: boolean;
}

export function hasDemo({ workloads, demo }: Declared): boolean {
  return demo ?? workloads === undefined;
}

/** What routes, targets and filters' calls can name. */
export function workloadNames(declared: Declared): string[] {
  return [...(hasDemo(declared) ? demoNames : []), ...Object.keys(declared.workloads ?? {})];
}

/**
 * Routes and targets that name a workload which is not declared.
 * @param config as it is written, whatever is wrong with it besides
 */
export function unknownWorkloads(config: unknown): { path: PropertyKey[]; message: string }[] {
  const { workloads, demo, routes, filters } = mapping(config);
  if (workloads !== undefined && !isMapping(workloads)) return [];
  const names = workloadNames({ workloads, demo: demo as boolean | undefined });
  const there = names.length > 0 ? `there are ${names.map((name) => `"${name}"`).join(", ")}` : "there are none";
  const check = (path: PropertyKey[], workload: unknown) =>
    typeof workload === "string" && !names.includes(workload)
      ? [{ path, message: `no workload is named "${workload}"; ${there}` }]
      : [];
  return [
    ...list(routes).flatMap((route, i) => check(["routes", i, "workload"], mapping(route).workload)),
    ...list(filters).flatMap((filter, i) =>
      check(["filters", i, "target", "workload"], mapping(mapping(filter).target).workload),
    ),
  ];
}

const mapping = (value: unknown) => (isMapping(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
