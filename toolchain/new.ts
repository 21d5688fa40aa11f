import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isMap, isSeq, parseDocument, type YAMLMap } from "yaml";
import { UserError } from "../lib/errors.ts";
import { shortPath } from "./files.ts";

/** An entry of `meshup:filters`. */
export interface FilterDeclaration {
  name: string;
  /** A folder of AssemblyScript or a .wasm, relative to the clone. */
  module: string;
  root: string;
  config: Record<string, string>;
  target: { route: string };
}

export interface Scaffold {
  /** The files that were written, absolute. */
  files: string[];
  declaration: FilterDeclaration;
}

const filtersKey = "meshup:filters";

/**
 * Makes a person's own filter in `<root>/filters/<name>`: source, and cases that it passes.
 * @param route that it is declared for
 * @throws UserError when the name cannot be one, or is taken.
 */
export async function scaffold(name: string, root: string, route: string): Promise<Scaffold> {
  requireDnsLabel(name);
  const folder = join(root, "filters", name);
  await mkdir(dirname(folder), { recursive: true });
  try {
    await mkdir(folder); // fails where there is one, also when two do it at once
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new UserError(`${shortPath(folder)} is there already. Choose another name, or remove it first.`);
  }
  const contents = {
    "assembly/index.ts": source(name),
    "assembly/tsconfig.json": editorConfig,
    "cases.yaml": cases(name),
  };
  try {
    for (const [file, text] of Object.entries(contents)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true }); // all of it, or nothing
    throw error;
  }
  return { files: Object.keys(contents).map((file) => join(folder, file)), declaration: declarationOf(name, route) };
}

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

/** Kubernetes' rule for a label of a DNS name (RFC 1123); the name becomes part of resource and file names. */
function requireDnsLabel(name: string): void {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return;
  throw new UserError(
    `"${name}" cannot be a filter's name: it must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit.`,
  );
}

function isEmpty(node: unknown): boolean {
  return typeof node === "object" && node !== null && "value" in node && node.value === null;
}

/** Whether the first list is further in than its key; so is a new one. */
function isIndented(yamlText: string): boolean {
  const match = /^( *)[^\s#-][^\n]*:[ \t]*(?:#.*)?\n( *)- /m.exec(yamlText);
  return !match || (match[2] ?? "").length > (match[1] ?? "").length;
}

function declarationOf(name: string, route: string): FilterDeclaration {
  return {
    name,
    module: `./filters/${name}`,
    root: name,
    config: { [`x-${name}`]: "hello" },
    target: { route },
  };
}

function source(name: string): string {
  return `// The filter "${name}": puts the header x-${name} on each response, with the value that its configuration gives.
// Configuration: {"x-${name}": "VALUE"}

import { Configuration, FilterRoot, Header, info, registerRoot } from "meshup";

class Filter extends FilterRoot {
  private header: Header | null = null;

  // Once for each worker of the proxy. What is wrong is reported to \`configuration\`; the proxy then refuses the filter.
  configure(configuration: Configuration): void {
    this.header = configuration.header("x-${name}");
    configuration.refuseOthers();
    if (configuration.isValid()) info("${name} is configured");
  }

  // With each response. The header was encoded at configuration: nothing is allocated here.
  onResponseHeaders(): void {
    const header = this.header;
    if (header) header.putOnResponse();
  }
}

registerRoot("${name}", (contextId) => new Filter(contextId));

// What the proxy may call. There are also proxy_on_request_headers, proxy_on_tick and proxy_on_http_call_response: name
// them here and override onRequestHeaders, onTick and onHttpCallResponse above.
export {
  malloc,
  proxy_abi_version_0_2_0,
  proxy_on_configure,
  proxy_on_response_headers,
} from "meshup/dispatch";
`;
}

/** For editors: the compiler finds "meshup" and the SDK by itself. */
const editorConfig = `{
  "extends": "../../../node_modules/assemblyscript/std/assembly.json",
  "compilerOptions": {
    "paths": {
      "meshup": ["../../../filter/assembly/sdk/index.ts"],
      "meshup/*": ["../../../filter/assembly/sdk/*"],
      "*": ["../../../node_modules/assemblyscript/std/assembly/*"]
    }
  },
  "include": ["./**/*.ts"]
}
`;

function cases(name: string): string {
  return `# Each case runs in the proxy-wasm host and through the real Envoy. A header of null must not be there; "/…/" is a
# regular expression.
cases:
  - name: the header is on the response
    root: ${name}
    config: { x-${name}: hello }
    expect:
      response: { status: 200, headers: { x-${name}: hello } }

  - name: a value that HTTP forbids is refused
    root: ${name}
    config: { x-${name}: "two\\nlines" }
    expect:
      refused: "character 4 of its value is a control character"

  - name: a misspelt key is refused
    root: ${name}
    config: { x-${name}: hello, x-other: hello }
    expect:
      refused: '"x-other" is not known'
`;
}
