import { logLevels } from "../abi/abi.ts";
import { FilterTrap, type LogLine, PluginRefused } from "../abi/errors.ts";
import type { ClusterAnswer } from "../hostcalls/clusters.ts";
import { Plugin, type PluginOptions } from "../plugin/plugin.ts";
import { configurationText, type FilterCase, type Observed, type Send } from "./cases.ts";

/**
 * Runs cases in this host: each in a VM of its own, with a clock that starts when the case does.
 * @param options what cases leave open: the module, and its root id where a case names none
 */
export function hostSend(options: Pick<PluginOptions, "wasm" | "rootId" | "pluginName" | "vmId" | "failure">): Send {
  return (filterCase) => {
    const logs: LogLine[] = [];
    try {
      return { ...exchange(filterCase, options, (line) => logs.push(line)), logs: logs.map(({ message }) => message) };
    } catch (error) {
      if (!(error instanceof PluginRefused || error instanceof FilterTrap)) throw error;
      return { refused: reason(error, logs), logs: logs.map(({ message }) => message) };
    }
  };
}

function exchange(
  filterCase: FilterCase,
  options: Partial<PluginOptions> & Pick<PluginOptions, "wasm">,
  onLog: (line: LogLine) => void,
): Pick<Observed, "request" | "response"> {
  const { root, request = {}, upstream, clusters = {}, advance = 0 } = filterCase;
  const plugin = Plugin.load({
    ...options,
    ...(root !== undefined && { rootId: root }),
    configuration: configurationText(filterCase) ?? "",
    clusters: Object.fromEntries(Object.entries(clusters).map(([name, answer]) => [name, answerOf(answer)])),
    onLog,
  });
  plugin.advance(advance);
  const { host, ...headers } = request.headers ?? {};
  const stream = plugin.stream();
  const result = stream.exchange({ ...request, headers, ...(host !== undefined && { authority: host }) }, upstream);
  stream.close();
  // A response that broke off in the middle is none.
  return {
    ...(result.request && { request: result.request }),
    ...(result.state === "complete" && { response: result.response }),
  };
}

function answerOf({ down, ...response }: NonNullable<FilterCase["clusters"]>[string]): ClusterAnswer {
  return down ? "down" : response;
}

/** Why it was refused: what the proxy says, and what the module said at warn level and above. */
function reason(error: Error, logs: LogLine[]): string {
  const from = logLevels.indexOf("warn");
  const said = logs.filter(({ level }) => logLevels.indexOf(level) >= from).map(({ message }) => message);
  return [error.message, ...said].join("\n");
}
