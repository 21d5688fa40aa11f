/** Every resource type, by its name in states. */
import type { AnyResourceType } from "./resource.ts";

/** Each is loaded when it is first needed: an `up` with nothing to do stays quick. */
export const types = {
  "meshup:local:Process": async () => (await import("./process.ts")).processType,
  "meshup:local:PythonPackages": async () => (await import("./python-packages.ts")).pythonPackagesType,
  "meshup:local:EnvoyBinary": async () => (await import("./envoy-binary.ts")).envoyBinaryType,
  "meshup:local:Bundle": async () => (await import("./bundle.ts")).bundleType,
  "meshup:local:EnvoyConfiguration": async () => (await import("./envoy-configuration.ts")).envoyConfigurationType,
  "meshup:index:Module": async () => (await import("./module.ts")).moduleType,
  "meshup:index:ImageContext": async () => (await import("./image-context.ts")).imageContextType,
  "meshup:index:Preflight": async () => (await import("./preflight.ts")).preflightType,
  "meshup:kind:Node": async () => (await import("./kind-node.ts")).kindNodeType,
  "meshup:kubernetes:PolicyReady": async () => (await import("./policy-ready.ts")).policyReadyType,
  "meshup:kubernetes:Rollout": async () => (await import("./rollout.ts")).rolloutType,
  "meshup:kubernetes:FilterReady": async () => (await import("./filter-ready.ts")).filterReadyType,
  "meshup:index:Evidence": async () => (await import("./evidence.ts")).evidenceType,
  "meshup:index:Secrets": async () => (await import("./secrets.ts")).secretsType,
  "meshup:index:Proof": async () => (await import("./proof.ts")).proofType,
} satisfies Record<string, () => Promise<AnyResourceType>>;

export type TypeName = keyof typeof types;

type TypeOf<Name extends TypeName> = Awaited<ReturnType<(typeof types)[Name]>>;

/** As the type's own file declares them. */
export type InputsOf<Name extends TypeName> = Parameters<TypeOf<Name>["create"]>[0];
export type OutputsOf<Name extends TypeName> = Awaited<ReturnType<TypeOf<Name>["create"]>>;
