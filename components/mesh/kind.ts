import { inexactNumbers } from "../../lib/numbers.ts";
import { tooManyDigits } from "../../lib/stack-file.ts";
import { configurationOf } from "../filter/configuration.ts";
import { deliveries as allDeliveries, type Delivery, type FilterDeclaration } from "../filter/declared.ts";
import { type Capabilities, deliveryOf, kindOf } from "./capabilities.ts";
import type { Mesh, MeshArgs } from "./mesh.ts";

/** One of these is each folder here; index.ts lists them. */
export interface MeshKind {
  /** As `meshup:mesh` names it. */
  name: string;
  capabilities: Capabilities;
  schema: Schema;
  /** Loads what it takes, and makes the mesh's first step. */
  create(args: MeshArgs): Promise<Mesh>;
}

/** Keys of the configuration that only this mesh knows: for the stack, and for a filter's declaration. */
export interface Schema {
  stack: object;
  filter: object;
  /** What of a declared filter it cannot do, beyond what its capabilities say. */
  problems?(filter: Declared, config: object): Problem[];
}

/** A filter as it is declared, and how its code comes to the proxy. */
export interface Declared {
  declaration: FilterDeclaration;
  delivery: Delivery;
}

/** The key, and what is wrong there. */
export interface Problem {
  key: string;
  message: string;
}

/** What of a declared filter the mesh cannot do: the key, and what it can do. */
export function inabilities(declaration: FilterDeclaration, { name, capabilities, schema }: MeshKind, config: object) {
  const problems: Problem[] = [];
  const problem = (key: string, message: string) => problems.push({ key, message });
  const { deliveries, failures, jsonOnly } = capabilities;
  const can = allDeliveries.filter((how) => how in deliveries);
  const delivery = deliveryOf(declaration, capabilities);
  const targets = deliveries[delivery];
  const target = kindOf(declaration.target);

  if (!targets) problem("delivery", `${name} cannot deliver by ${delivery}; it can by ${can.join(", ")}`);
  else if (declaration.script !== undefined && delivery !== "lua") problem("delivery", "a script is delivered by lua");
  else if (declaration.script === undefined && delivery === "lua")
    problem("delivery", "lua delivers a script, not a module");
  else if (!targets.includes(target)) {
    const others = can.filter((how) => how !== "lua" && deliveries[how]?.includes(target));
    const instead = others.length > 0 ? `; ${target}s are reached by ${others.join(", ")}` : "";
    problem(
      "target",
      `${name} cannot deliver by ${delivery} to a ${target}, only to a ${targets.join(", ")}${instead}`,
    );
  }
  if (!failures.includes(declaration.failure))
    problem("failure", `${name} cannot ${declaration.failure}; it can ${failures.join(", ")}`);
  else if (declaration.script !== undefined && declaration.failure !== "open")
    problem("failure", "Envoy lets every request pass that a script fails on: open, or leave it out");
  const configuration = configurationOf(declaration.config);
  if (jsonOnly && configuration && configuration.json === undefined)
    problem("config", `${name} hands a filter's configuration on as JSON only: write an object, or text that is JSON`);
  if (jsonOnly) problems.push(...lostDigits(declaration.config));
  return [...problems, ...(schema.problems?.({ declaration, delivery }, config) ?? [])];
}

/** Numbers of a configuration that becomes a part of an object of the cluster: they are JavaScript's on the way there. */
export function lostDigits(config: FilterDeclaration["config"]): Problem[] {
  if (typeof config !== "string" || configurationOf(config)?.json === undefined) return [];
  return inexactNumbers(config).map(({ text }) => ({ key: "config", message: `${text} ${tooManyDigits(text)}` }));
}
