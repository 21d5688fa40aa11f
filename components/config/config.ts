import { z } from "zod";
import { UserError } from "../../lib/errors.ts";
import { inexactNumbers } from "../../lib/numbers.ts";
import { keyPath, problemList, tooManyDigits } from "../../lib/stack-file.ts";
import { isDockerHub, isReference } from "../../oci/reference.ts";
import { expectsNothing } from "../../proof/expectation.ts";
import { clusterKeys, clusterKind, clusterNames, localCluster } from "../cluster/index.ts";
import { filterSchema } from "../filter/declared.ts";
import { filterKeys, meshKind, meshNames, stackKeys } from "../mesh/index.ts";
import { inabilities } from "../mesh/kind.ts";
import { workloadProblems } from "../workloads/checks.ts";
import { unknownWorkloads, workloadNames, workloadsSchema } from "../workloads/declared.ts";
import { secretKeys, secretProblems } from "../workloads/secrets.ts";
import { foreignKeys } from "./foreign.ts";
import { overridesSchema, withOverrides } from "./overrides.ts";
import { port } from "./port.ts";
import { problemLine, problemsOf } from "./problems.ts";
import { route } from "./route.ts";

/** Pulumi keeps it encrypted, and it is read where it is needed: in `components/registry`. */
export const passwordKey = "registryPassword";

const milliseconds = z.number().int().min(50).max(600_000);
const level = z.enum(["trace", "debug", "info", "warning", "error", "critical", "off"]);

const ports = z.strictObject({
  /** Envoy's listener: where the routes are served. */
  gateway: port.default(10000),
  /** Envoy's admin interface: config_dump, stats, log levels. */
  admin: port.default(9901),
  httpbin: port.default(8100),
  "httpbin-two": port.default(8200),
  echo: port.default(8300),
  "bursting-metrics": port.default(8400),
});

const load = z.strictObject({
  /** Requests in flight that one replica of echo is meant to carry. */
  capacity: z.number().int().min(1).default(4),
  minReplicas: z.number().int().min(1).default(1),
  maxReplicas: z.number().int().min(1).default(2),
  /** Milliseconds between two looks at the load. */
  periodMs: milliseconds.default(1000),
});

/** `host[:port][/path]`. A name without dot and port would be taken for a folder on Docker Hub. */
const registryAddress = z
  .string()
  .regex(
    /^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
    'a host, perhaps with a port and a path, such as "registry.example.com:5000" or "ghcr.io/me", without https://',
  );

const registry = z.strictObject({
  /** As proxies and the control plane pull filters' images. */
  address: registryAddress,
  /** As this machine pushes to the same registry. Default: the address. */
  push: registryAddress.optional(),
  /** For a registry that asks for a password, which is `meshup:registryPassword`. */
  username: z.string().min(1).optional(),
});

const stackConfig = z
  .strictObject({
    cluster: z.enum(clusterNames).default(localCluster),
    mesh: z.enum(meshNames),
    ...clusterKeys,
    /** Where filters' images go. Default: the cluster's own registry. */
    registry: registry.optional(),
    ...stackKeys,
    /** Whether there is one: the password itself never comes here. */
    registryPassword: z.boolean().default(false),
    ...overridesSchema.shape,
    ports: ports.prefault({}),
    /** A person's own. Default: the demo's. */
    workloads: workloadsSchema.optional(),
    /** The demo's workloads beside a person's own. Default: only where there are none of those. */
    demo: z.boolean().optional(),
    routes: z.array(route).min(1),
    filters: z.array(filterSchema(filterKeys)).default([]),
    load: load.prefault({}),
    /** Envoy's worker threads. */
    concurrency: z.number().int().min(1).max(64).default(2),
    /** Envoy's log level for each of its components. */
    logLevels: z.record(z.string().regex(/^[a-z0-9_]+$/), level).default({ wasm: "info" }),
  })
  .superRefine((config, ctx) => {
    const problem = (path: PropertyKey[], message: string) => ctx.addIssue({ code: "custom", path, message });
    const unique = (key: "routes" | "filters", field: string, values: string[]) =>
      values.forEach((value, i) => {
        if (values.indexOf(value) < i)
          problem([key, i, field], `"${value}" is taken by ${key}[${values.indexOf(value)}]`);
      });
    unique(
      "routes",
      "name",
      config.routes.map((r) => r.name),
    );
    const places = config.routes.map(({ path, host }) => `"${path}"${host === undefined ? "" : ` of "${host}"`}`);
    places.forEach((place, i) => {
      const first = places.indexOf(place);
      if (first < i) problem(["routes", i, "path"], `${place} is taken by routes[${first}]`);
    });
    unique(
      "filters",
      "name",
      config.filters.map((f) => f.name),
    );

    const routeNames = config.routes.map((r) => r.name);
    config.filters.forEach((f, i) => {
      if ("route" in f.target && !routeNames.includes(f.target.route))
        problem(
          ["filters", i, "target", "route"],
          `no route is named "${f.target.route}"; there are ${routeNames.join(", ")}`,
        );
    });

    const served = config.routes.map((r) => r.workload);
    const declared = workloadNames(config);
    config.filters.forEach((f, i) => {
      if ("workload" in f.target && declared.includes(f.target.workload) && !served.includes(f.target.workload))
        problem(
          ["filters", i, "target", "workload"],
          `no route goes to ${f.target.workload}; routes go to ${[...new Set(served)].join(", ")}`,
        );
    });

    config.filters.forEach((f, i) => {
      const at = (key: string) => ["filters", i, key];
      if ((f.module === undefined) === (f.script === undefined))
        problem(at("module"), "a filter has either a module or a script (Lua)");
      if (f.script !== undefined && f.expect === undefined && f.request !== false)
        problem(at("expect"), "a script needs it: the response headers that prove that it runs");
      if (f.request === false && f.expect !== undefined && !expectsNothing(f.expect))
        problem(at("expect"), "means nothing where no request is sent (`request: false`)");
      for (const { key, message } of inabilities(f, meshKind(config.mesh), config)) problem(at(key), message);
    });

    const { capabilities } = meshKind(config.mesh);
    const { cluster } = capabilities;
    if (cluster !== clusterKind(config.cluster).isCluster)
      problem(
        ["mesh"],
        `${config.mesh} ${cluster ? "needs a cluster: meshup:cluster: kind" : "runs without one: meshup:cluster: local"}`,
      );

    const { registry, registryPassword } = config;
    const pulls = cluster || config.filters.some(({ module = "" }) => isReference(module));
    if (registry && !pulls) problem(["registry"], `${config.mesh} pulls no images, and has no use for a registry`);
    if (registry && registry.username !== undefined && !registryPassword)
      problem(
        [passwordKey],
        `is missing; set the password of ${registry.username}: \`pulumi config set --secret meshup:${passwordKey}\``,
      );
    if (registry && registry.username === undefined && registryPassword)
      problem(["registry", "username"], `is missing; whose password is meshup:${passwordKey}?`);
    if (!registry && registryPassword)
      problem(["registry"], `is missing; which registry is meshup:${passwordKey} for?`);

    if (registry && isDockerHub(registry.address) && !/^[^/]+\/[^/]+$/.test(registry.address))
      problem(
        ["registry", "address"],
        "Docker Hub has an account and, below it, repositories, no deeper: docker.io/YOUR-ACCOUNT",
      );

    for (const { path, message } of workloadProblems(config, cluster ? "cluster" : "machine", capabilities))
      problem(path, message);
    if (config.load.maxReplicas < config.load.minReplicas)
      problem(["load", "maxReplicas"], `${config.load.maxReplicas} is below minReplicas ${config.load.minReplicas}`);
  });

/** The stack's own keys. */
const settings = Object.keys(stackConfig.shape);

export type StackConfig = z.infer<typeof stackConfig>;

/**
 * The configuration of the stack that runs.
 *
 * @param all Pulumi's whole configuration, by `namespace:key`
 * @param written what the stack's file has that did not come as it is written, each with its key
 * @param isSecret whether Pulumi keeps such a key's value as a secret
 * @throws UserError, see `parseConfig`
 */
export function readConfig(
  all: Record<string, string>,
  stack: string,
  written: string[] = [],
  isSecret: (key: string) => boolean = () => true,
): StackConfig {
  const { workloads, ...rest } = ownValues(all);
  const keys = workloads === undefined ? [] : secretKeys(decode(workloads), settings);
  const kept = Object.fromEntries(keys.flatMap((key) => (key in rest ? [[key, isSecret(`meshup:${key}`)]] : [])));
  const shown = Object.fromEntries(Object.entries(ownValues(all)).filter(([key]) => !keys.includes(key)));
  return parseConfig(withOverrides(withoutPassword(shown)), stack, written, kept);
}

/** What stands under `meshup:` in Pulumi's whole configuration, by key. */
export function ownValues(all: Record<string, string>): Record<string, string> {
  const own = Object.entries(all).filter(([key]) => key.startsWith("meshup:"));
  return Object.fromEntries(own.map(([key, text]) => [key.slice("meshup:".length), text]));
}

/** In place of the password stands whether there is one: no error message can have it then. */
function withoutPassword(values: Record<string, string>): Record<string, string> {
  return passwordKey in values ? { ...values, [passwordKey]: String(values[passwordKey] !== "") } : values;
}

/**
 * Checks a stack's configuration: the one place that does.
 *
 * @param values what stands under `meshup:` in Pulumi.STACK.yaml, by key; objects as Pulumi hands them over, in JSON; in
 * place of the password whether there is one
 * @param written what the file has that did not come as it is written, each with its key
 * @param secrets the keys of values that workloads name and that never come here, and whether they are kept as secrets
 * @throws UserError that names every problem, with its key and what would be right.
 */
export function parseConfig(
  values: Record<string, string>,
  stack: string,
  written: string[] = [],
  secrets: Record<string, boolean> = {},
): StackConfig {
  const decoded = Object.fromEntries(Object.entries(values).map(([key, text]) => [key, decode(text)]));
  const result = stackConfig.safeParse(decoded, { reportInput: true });
  const inexact = Object.entries(values).flatMap(([key, text]) => inexactNumbersOf(key, text));
  const problems = [
    ...new Set([...written, ...inexact]),
    ...[
      ...foreignKeys(decoded),
      ...unknownWorkloads(decoded),
      ...secretProblems(decoded.workloads, settings, (key) => secrets[key]),
    ].map(({ path, message }) => problemLine(path, message, "meshup:")),
    ...(result.success ? [] : problemsOf(result.error, "meshup:")),
  ];
  if (result.success && problems.length === 0) return result.data;
  throw new UserError(problemList(`Pulumi.${stack}.yaml`, problems));
}

/** Pulumi hands every value over as text: objects, numbers and booleans are JSON, all else is the text itself. */
export function decode(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Numbers that would be others from here on. */
function inexactNumbersOf(key: string, text: string): string[] {
  const isStructure = typeof decode(text) === "object";
  const found = isStructure ? inexactNumbers(text) : [];
  return found.map(({ path, text }) => `meshup:${keyPath([key, ...path])}: ${text} ${tooManyDigits(text)}`);
}
