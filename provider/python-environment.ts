/** What of people's settings for Python and pip reaches the ones that this project runs. */

import { withoutPythonSettings } from "../process/environment.ts";

const isPipSetting = (name: string) => name.startsWith("PIP_");

/** An environment in which Python and pip behave as they come. `PYTHON` itself is ours: which one to take. */
export function plainPython(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(withoutPythonSettings(env)).filter(([name]) => !isPipSetting(name)));
}

/** How pip reaches an index, and which. All else (where to, what, whether at all) is ours to say. */
const kept = new Set([
  ...["index-url", "pypi-url", "extra-index-url", "no-index", "find-links", "trusted-host", "keyring-provider"],
  ...["cert", "client-cert", "proxy", "timeout", "default-timeout", "retries", "cache-dir", "no-cache-dir"],
]);

/** pip's options by their long names, without the dashes. */
export type PipSettings = Record<string, string>;

/** Settings as pip has them in effect, of those that are kept: variables before what its files say. */
export function keptSettings(env: NodeJS.ProcessEnv, files: PipSettings): PipSettings {
  const variables = Object.entries(env).flatMap(([name, value]): [string, string][] =>
    isPipSetting(name) && value ? [[optionName(name.slice("PIP_".length)), value]] : [],
  );
  const all = Object.entries({ ...files, ...Object.fromEntries(variables) });
  // The system's certificates are one of pip's features; the others change how it installs.
  const features = all.flatMap(([name, value]) =>
    name === "use-feature" && value.split(/\s+/).includes("truststore") ? [["use-feature", "truststore"]] : [],
  );
  return Object.fromEntries([...all.filter(([name]) => kept.has(name)), ...features]);
}

/** pip's environment: these settings, and no file of them. Older pips pass over what they do not know. */
export function pipEnvironment(env: NodeJS.ProcessEnv, settings: PipSettings = {}): NodeJS.ProcessEnv {
  const variables = Object.entries(settings).map(([name, value]) => [variableName(name), value]);
  const { FORCE_COLOR, CLICOLOR_FORCE, ...plain } = plainPython(env);
  return {
    ...plain,
    PIP_ROOT_USER_ACTION: "ignore",
    ...Object.fromEntries(variables),
    PIP_CONFIG_FILE: "/dev/null",
    NO_COLOR: "1",
  };
}

const optionName = (name: string) => name.toLowerCase().replaceAll("_", "-").replace(/^--/, "");
const variableName = (option: string) => `PIP_${option.toUpperCase().replaceAll("-", "_")}`;
