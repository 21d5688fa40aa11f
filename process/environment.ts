/** What of people's environments reaches the processes and programs that this project starts. */
import { quietChildren } from "../lib/environment.mjs";

/** What an interpreter may need to run at all. Every other PYTHON… variable changes what a program does, or what it prints. */
const neededByPython = new Set([
  "PYTHONHOME",
  "PYTHONEXECUTABLE",
  "PYTHONPLATLIBDIR",
  "PYTHONUSERBASE", // pip may lie there
  "PYTHONNOUSERSITE",
  "PYTHONMALLOC",
  "PYTHONUTF8",
  "PYTHONCOERCECLOCALE",
]);

/** The engine's, npm's and pip's own, and those of the session that we were started from. */
const foreign =
  /^(PULUMI_|MESHUP_|npm_|NPM_|PIP_|GITHUB_|ACTIONS_|VITEST|SSH_|GPG_|SUDO_|XAUTHORITY$|DBUS_|INIT_CWD$|PWD$|OLDPWD$|SHLVL$|_$|BASH_FUNC_)/;

/** What the demo's own programs are set up by; they are to be the same in every shell. */
const programs =
  /^(HOST|PORT|LOG_LEVEL|GRACE_MS|MAX_BODY_BYTES|LOAD_.*|MODULES_DIRECTORY|SERVICE_ACCOUNT_DIRECTORY|KUBERNETES_.*|FLASK_.*|WERKZEUG_.*|HTTPBIN_.*|BUGSNAG_.*)$/;

const secretName = /TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|_PASS$|_AUTH$/i;
const secretValue = /:\/\/[^\s/@]*:[^\s/@]+@/; // an address with a password

/**
 * All that a program may have been found with: where its libraries are, which version manager chose it. Ours holds the
 * passphrase of the state, and people's hold more: what looks like a secret stays behind.
 */
export function processEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const all = Object.entries(withoutPythonSettings(env));
  const passed = Object.fromEntries(
    all.filter(
      ([name, value = ""]) =>
        !foreign.test(name) && !programs.test(name) && !secretName.test(name) && !secretValue.test(value),
    ),
  );
  quietChildren(passed);
  return passed;
}

/** Python as it comes. */
export function withoutPythonSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isSetting = (name: string) => /^PYTHON[A-Z0-9_]+$/.test(name) && !neededByPython.has(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSetting(name)));
}
