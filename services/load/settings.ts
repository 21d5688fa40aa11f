import { isAbsolute } from "node:path";
import { isHost, parseInteger, quote, type Settings, shorten } from "../settings.ts";
import type { KubernetesSettings } from "./kubernetes.ts";
import type { LocalService } from "./local.ts";

export type LoadSettings =
  | { source: "local"; services: LocalService[] }
  | ({ source: "kubernetes" } & KubernetesSettings);

/**
 * LOAD_SOURCE: `local` (default) polls the metrics of the services in LOAD_SERVICES, a JSON list of `LocalService`;
 * `kubernetes` asks the API of the cluster that it runs in for the autoscalers of LOAD_NAMESPACE, at most every
 * LOAD_PERIOD_MS.
 */
export function readLoadSettings(settings: Settings): LoadSettings {
  const source = settings.choice("LOAD_SOURCE", ["local", "kubernetes"], "local");
  if (source === "local")
    return { source, services: settings.json("LOAD_SERVICES", loadServicesExample, parseLoadServices, []) };
  return {
    source,
    namespace: settings.text("LOAD_NAMESPACE", { fallback: "default", is: isLabel, right: "a namespace's name" }),
    periodMs: settings.integer("LOAD_PERIOD_MS", { fallback: 1000, min: 10, max: 3_600_000 }),
    // Every pod has both from Kubernetes.
    host: settings.text("KUBERNETES_SERVICE_HOST", { is: isHost, right: "the address of a Kubernetes API server" }),
    port: Number(
      settings.text("KUBERNETES_SERVICE_PORT", { is: isPort, right: "the port of a Kubernetes API server" }),
    ),
    directory: settings.text("SERVICE_ACCOUNT_DIRECTORY", {
      fallback: "/var/run/secrets/kubernetes.io/serviceaccount",
      is: isAbsolute,
      right: "an absolute path",
    }),
  };
}

/** What LOAD_SERVICES looks like; all but `service` and `url` have these values by default. */
export const loadServicesExample = JSON.stringify([
  {
    service: "default/echo",
    url: "http://127.0.0.1:8080/metrics",
    capacity: 10,
    minReplicas: 1,
    maxReplicas: 2,
    periodMs: 1000,
  },
]);

/** Reads LOAD_SERVICES' document. What is wrong is added to `problems`, each with its place. */
export function parseLoadServices(document: unknown, problems: string[]): LocalService[] {
  if (!Array.isArray(document) || document.length === 0) {
    problems.push(`LOAD_SERVICES is not a list of services; right would be ${loadServicesExample}`);
    return [];
  }
  const services = document.map((entry, index) => parseService(entry, `LOAD_SERVICES[${index}]`, problems));
  for (const [index, { service }] of services.entries()) {
    const first = services.findIndex((one) => one.service === service);
    if (service && first < index)
      problems.push(`LOAD_SERVICES[${index}].service: ${quote(service)} is LOAD_SERVICES[${first}] already`);
  }
  return services;
}

function parseService(entry: unknown, at: string, problems: string[]): LocalService {
  const fields = (typeof entry === "object" && entry !== null && !Array.isArray(entry) ? entry : {}) as Record<
    string,
    unknown
  >;
  if (fields !== entry) problems.push(`${at} is not an object`);

  const field = <T>(name: string, fallback: T | undefined, is: (value: unknown) => boolean, right: string): T => {
    const value = Object.hasOwn(fields, name) ? fields[name] : fallback;
    if (is(value)) return value as T;
    if (fields === entry) problems.push(`${at}.${name}: ${show(value)} is not ${right}`);
    return fallback as T;
  };
  const integer = (name: string, fallback: number, min: number, max: number) =>
    field(name, fallback, (value) => isInteger(value, min, max), `a whole number from ${min} to ${max}`);

  const service = field<string>("service", undefined, isServiceName, "namespace/deployment");
  const url = field<string>("url", undefined, isHttpUrl, "an http:// address without user and password");
  const capacity = field("capacity", 10, isPositive, "a number above 0");
  const minReplicas = integer("minReplicas", 1, 1, 10_000);
  const maxReplicas = integer("maxReplicas", Math.max(2, minReplicas), 1, 10_000);
  const periodMs = integer("periodMs", 1000, 10, 3_600_000);
  if (maxReplicas < minReplicas)
    problems.push(`${at}.maxReplicas: ${maxReplicas} is less than minReplicas, ${minReplicas}`);

  const known = { service, url, capacity, minReplicas, maxReplicas, periodMs };
  for (const name of Object.keys(fields).filter((name) => !Object.hasOwn(known, name)))
    problems.push(`${at}.${name} is not known; there is ${Object.keys(known).join(", ")}`);
  return known;
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

const label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

function isLabel(text: string): boolean {
  return new RegExp(`^${label}$`).test(text);
}

function isPort(text: string): boolean {
  return isInteger(parseInteger(text), 1, 65_535);
}

/** As Kubernetes names them: a DNS label, and a DNS subdomain. */
function isServiceName(value: unknown): boolean {
  return (
    typeof value === "string" && value.length <= 317 && new RegExp(`^${label}/${label}(\\.${label})*$`).test(value)
  );
}

function isHttpUrl(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return protocol === "http:" && !username && !password;
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : shorten(JSON.stringify(value));
}
