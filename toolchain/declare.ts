/** Filters in the text of a stack's file (Pulumi.STACK.yaml): comments and order of what is there stay. */
import { isMap, isSeq, parseDocument, type YAMLMap } from "yaml";
import { UserError } from "../lib/errors.ts";

/** An entry of `meshup:filters`. */
export interface FilterDeclaration {
  name: string;
  /** A folder of AssemblyScript or a .wasm, relative to the clone. */
  module: string;
  root: string;
  config: Record<string, string>;
  target: { route: string };
}

const filtersKey = "meshup:filters";

/**
 * The first route that a stack's file declares.
 * @throws UserError when there is none: a filter needs one to work on
 */
export function firstRoute(yamlText: string): string {
  const route: unknown = parseDocument(yamlText).getIn(["config", "meshup:routes", 0, "name"]);
  if (typeof route !== "string")
    throw new UserError('The stack\'s file declares no route for a filter to work on: add one to "meshup:routes".');
  return route;
}

/**
 * Adds a filter to `meshup:filters` in the text of a stack's file (Pulumi.local.yaml). Comments and order stay.
 * @throws UserError when the text cannot take it, or has a filter of that name.
 */
export function declareFilter(yamlText: string, declaration: FilterDeclaration): string {
  const document = parseDocument(yamlText);
  const [problem] = document.errors;
  if (problem) throw new UserError(`The stack's file is not YAML: ${problem.message}`);
  if (document.contents !== null && !isMap(document.contents))
    throw new UserError("The stack's file must be a mapping.");
  const config = document.get("config", true) ?? null;
  if (config !== null && !isMap(config) && !isEmpty(config)) throw new UserError(`"config" must be a mapping.`);

  const filters = isMap(config) ? (config.get(filtersKey, true) ?? null) : null;
  if (filters !== null && !isSeq(filters) && !isEmpty(filters)) throw new UserError(`"${filtersKey}" must be a list.`);
  const taken = isSeq(filters) && filters.items.some((item) => isMap(item) && item.get("name") === declaration.name);
  if (taken) throw new UserError(`A filter "${declaration.name}" is declared in "${filtersKey}" already.`);

  const entry = document.createNode(declaration) as YAMLMap<unknown, unknown>;
  for (const { value } of entry.items) if (isMap(value)) value.flow = true;
  if (isSeq(filters)) {
    if (filters.items.length === 0) filters.flow = false; // `[]`, as it stands for none
    filters.add(entry);
  } else if (isMap(config)) config.set(filtersKey, document.createNode([entry]));
  else document.set("config", document.createNode({ [filtersKey]: [entry] }));
  return document.toString({ lineWidth: 0, indentSeq: isIndented(yamlText) });
}

/**
 * Takes a filter out of `meshup:filters` in the text of a stack's file (Pulumi.STACK.yaml). Comments and order stay.
 * @throws UserError that names the filters that there are, when this one is not among them
 */
export function undeclareFilter(yamlText: string, name: string): string {
  const document = parseDocument(yamlText);
  const [problem] = document.errors;
  if (problem) throw new UserError(`The stack's file is not YAML: ${problem.message}`);
  const path = ["config", filtersKey];
  const filters = document.getIn(path, true);
  const names = isSeq(filters) ? filters.items.map((item) => (isMap(item) ? String(item.get("name")) : "")) : [];
  const place = names.indexOf(name);
  if (place < 0)
    throw new UserError(`No filter "${name}" is declared in "${filtersKey}"; there are ${names.join(", ") || "none"}.`);
  document.deleteIn([...path, place]);
  return document.toString({ lineWidth: 0, indentSeq: isIndented(yamlText) });
}

function isEmpty(node: unknown): boolean {
  return typeof node === "object" && node !== null && "value" in node && node.value === null;
}

/** Whether the first list is further in than its key; so is a new one. */
function isIndented(yamlText: string): boolean {
  const match = /^( *)[^\s#-][^\n]*:[ \t]*(?:#.*)?\n( *)- /m.exec(yamlText);
  return !match || (match[2] ?? "").length > (match[1] ?? "").length;
}
