import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../lib/errors.ts";
import { removeEmpty, writeWhole } from "../lib/files.ts";
import type { FilterDeclaration } from "./declare.ts";
import { shortPath } from "./files.ts";

export interface Scaffold {
  /** The files that were written, absolute. */
  files: string[];
  declaration: FilterDeclaration;
}

/**
 * Makes a person's own filter in `<root>/filters/<name>`: source, and cases that it passes.
 * @param route that it is declared for
 * @throws UserError when the name cannot be one, or is taken.
 */
export async function scaffold(name: string, root: string, route: string): Promise<Scaffold> {
  requireDnsLabel(name);
  const folder = join(root, "filters", name);
  const made = await mkdir(dirname(folder), { recursive: true });
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
      writeWhole(join(folder, file), text);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true }); // all of it, or nothing
    if (made !== undefined) removeEmpty(dirname(folder), made);
    throw error;
  }
  return { files: Object.keys(contents).map((file) => join(folder, file)), declaration: declarationOf(name, route) };
}

/** Kubernetes' rule for a label of a DNS name (RFC 1123); the name becomes part of resource and file names. */
function requireDnsLabel(name: string): void {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return;
  throw new UserError(
    `"${name}" cannot be a filter's name: it must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit.`,
  );
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
