/**
 * The environment that people's shells give us, put right before anything runs: what is started inherits it. Plain
 * JavaScript, since it comes before what is installed.
 */

/** What this program and its engine talk to on this machine; kind's API server is at 127.0.0.1, too. */
const loopback = ["localhost", "127.0.0.1", "::1"];

const proxyName = /^(https?|all|grpc)_proxy$/i;

/**
 * Where there is a proxy, leaves loopback out of it. Packages, charts and images go through it as before.
 *
 * Both spellings are set, since no two programs prefer the same one, and in the one form that all of them read: commas
 * without blanks. gRPC for Node has a list of its own, and does not know `*`.
 * @param {Record<string, string | undefined>} env is changed
 */
export function keepLoopbackDirect(env) {
  const proxies = Object.keys(env).filter((name) => proxyName.test(name) && env[name]);
  if (proxies.length === 0) return;
  const { no_proxy: lower, NO_PROXY: upper, no_grpc_proxy: grpc } = env;
  env.no_proxy = exceptions(lower || upper, loopback);
  env.NO_PROXY = exceptions(upper || lower, loopback);
  env.no_grpc_proxy = exceptions(grpc === undefined ? "" : grpc.replaceAll("*", ""), loopback);
  // Of a proxy that it cannot use, as socks5://, gRPC for Node complains at every connection, though it needs none.
  if (proxies.some((name) => !/^http:/i.test(env[name] ?? ""))) env.GRPC_VERBOSITY ??= "NONE";
}

/**
 * A list of hosts that need no proxy, with more of them.
 * @param {string | undefined} list as people write it: with commas or blanks
 * @param {string[]} hosts
 */
export function exceptions(list, hosts) {
  const listed = (list ?? "").split(/[\s,]+/).filter(Boolean);
  return listed.includes("*") ? "*" : [...new Set([...listed, ...hosts])].join(",");
}

/**
 * Makes the output of programs that are started from now on theirs alone: without what people preload into Node, debug
 * and trace it with, and without forced colours. What Node needs to reach out (certificates, memory) stays.
 * @param {Record<string, string | undefined>} env is changed
 */
export function quietChildren(env) {
  if (env.NODE_OPTIONS !== undefined) {
    env.NODE_OPTIONS = quietOptions(env.NODE_OPTIONS);
    if (env.NODE_OPTIONS === "") delete env.NODE_OPTIONS;
  }
  for (const name of noisy) delete env[name];
}

const noisy = [
  ...[
    "NODE_DEBUG",
    "NODE_DEBUG_NATIVE",
    "NODE_V8_COVERAGE",
    "NODE_INSPECT_RESUME_ON_START",
    "VSCODE_INSPECTOR_OPTIONS",
  ],
  ...["FORCE_COLOR", "CLICOLOR_FORCE"],
];

/** What runs before a program, listens beside it, waits for a debugger, or writes of its own accord. */
const intruding =
  /^(-r|--require|--import|--loader|--experimental-loader|--inspect.*|--debug-port|--(cpu|heap)-prof.*|--heapsnapshot-.*|--trace-.*|--diagnostic-dir)$/;
/** Those of them that have their value after a blank, where they have none after `=`. */
const withValue =
  /^(-r|--require|--import|--loader|--experimental-loader|--inspect-(port|publish-uid)|--debug-port|--(cpu|heap)-prof-.*|--heapsnapshot-.*|--trace-event-.*|--diagnostic-dir)$/;

/**
 * Node's options without those that make a program say or do more than it would by itself.
 * @param {string} text of NODE_OPTIONS: `--max-old-space-size=4096 --require "/a b.js"`
 */
export function quietOptions(text) {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  const kept = [];
  for (let i = 0; i < words.length; i++) {
    const [name] = words[i].replaceAll('"', "").split("=", 1);
    if (!intruding.test(name)) kept.push(words[i]);
    else if (withValue.test(name) && !words[i].includes("=")) i++;
  }
  return kept.join(" ");
}

/** What changes what npm installs, for which machine, and where. `ci` and `exec` have flags for the rest. */
const npmSettings =
  /^npm_config_(omit|only|also|include|production|dev|optional|global|location|dry_run|package_lock.*|shrinkwrap|workspaces?|include_workspace_root|os|cpu|libc|install_.*|legacy_bundling|global_style|bin_links|before|min_release_age|json|node_options|force|.*_peer_deps|engine_strict|call|package)$/i;

/**
 * npm's environment without what people have set for other projects. Registry, certificates, proxies, logins and cache
 * stay, and whether packages may run scripts.
 * @param {Record<string, string | undefined>} env
 */
export function npmEnvironment(env) {
  const others = Object.entries(env).filter(([name]) => !npmSettings.test(name.replaceAll("-", "_")));
  const { NODE_ENV, FORCE_COLOR, CLICOLOR_FORCE, ...rest } = Object.fromEntries(others);
  return rest;
}

/** The same for what their .npmrc files say: what `npm ci` is to install, whatever they say. */
export const npmFlags = [
  ...["--include=dev", "--include=optional", "--include=peer", "--no-dry-run", "--no-global", "--location=project"],
  ...["--package-lock", "--no-package-lock-only", "--install-strategy=hoisted", "--no-install-links"],
  ...["--no-legacy-peer-deps", "--no-strict-peer-deps", "--no-engine-strict", "--no-json", "--no-color"],
];
