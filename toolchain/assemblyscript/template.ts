import type { Template } from "../toolchain.ts";

export function template(name: string): Template {
  return {
    files: { "assembly/index.ts": source(name), "assembly/tsconfig.json": editorConfig, "cases.yaml": cases(name) },
    rootId: name,
    config: { [`x-${name}`]: "hello" },
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
