/** Selects the part of the user's environment that is passed to the processes and programs of this project. */
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

/** Variables of the engine, npm and pip, and of the session that we were started from. */
const foreign =
  /^(PULUMI_|MESHUP_|npm_|NPM_|PIP_|GITHUB_|ACTIONS_|VITEST|SSH_|GPG_|SUDO_|XAUTHORITY$|DBUS_|INIT_CWD$|PWD$|OLDPWD$|SHLVL$|_$|BASH_FUNC_)/;

/** Settings of the demo's own programs. These must be the same in every shell. */
const programs =
  /^(HOST|PORT|LOG_LEVEL|GRACE_MS|MAX_BODY_BYTES|LOAD_.*|MODULES_DIRECTORY|SERVICE_ACCOUNT_DIRECTORY|KUBERNETES_.*|FLASK_.*|WERKZEUG_.*|HTTPBIN_.*|BUGSNAG_.*)$/;

const secretName = /TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|_PASS$|_AUTH$/i;
const secretValue = /:\/\/[^\s/@]*:[^\s/@]+@/; // an address with a password

/**
 * Passes on everything that a program may need to be found and to run: library paths, version managers. Our environment
 * has the passphrase of the state, and users' environments have more secrets. Anything that looks like a secret is left
 * out.
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

/** The environment without settings that change what Python does. */
export function withoutPythonSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isSetting = (name: string) => /^PYTHON[A-Z0-9_]+$/.test(name) && !neededByPython.has(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSetting(name)));
}
