import { expect, test } from "vitest";
import { processEnvironment } from "./environment.ts";

const passed = (env: NodeJS.ProcessEnv) => Object.keys(processEnvironment(env));

test("what a program was found with is passed on", () => {
  const env = {
    ...{ PATH: "/bin", HOME: "/h", LANG: "C", TMPDIR: "/t", TZ: "UTC", SSL_CERT_FILE: "/ca", http_proxy: "http://p:1" },
    ...{ LD_LIBRARY_PATH: "/l", LD_PRELOAD: "/l.so", DYLD_LIBRARY_PATH: "/l", PYTHONHOME: "/p", PYENV_VERSION: "3.11" },
    ...{
      ASDF_DATA_DIR: "/a",
      CONDA_PREFIX: "/c",
      NIX_LD: "/n",
      NIX_LD_LIBRARY_PATH: "/n",
      MISE_SHELL: "sh",
      MY_ROOT: "/m",
    },
    ...{ VIRTUAL_ENV: "/v", LOCPATH: "/l", NODE_EXTRA_CA_CERTS: "/ca", NODE_OPTIONS: "--max-old-space-size=99" },
  };
  expect(processEnvironment(env)).toEqual(env);
});

test("no secret is", () => {
  const env = {
    ...{ PULUMI_CONFIG_PASSPHRASE: "x", PULUMI_ACCESS_TOKEN: "x", AWS_SECRET_ACCESS_KEY: "x", GITHUB_TOKEN: "x" },
    ...{ OPENAI_API_KEY: "x", DB_PASSWORD: "x", REGISTRY_AUTH: "x", DATABASE_URL: "postgres://me:secret@db/x" },
    ...{
      https_proxy: "http://me:secret@p:1",
      GOOGLE_APPLICATION_CREDENTIALS: "/c",
      npm_config__auth: "x",
      SSH_AUTH_SOCK: "/s",
    },
  };
  expect(passed(env)).toEqual([]);
});

test("nor what would make the demo's programs other ones than in another shell", () => {
  const env = {
    ...{ HOST: "0.0.0.0", PORT: "1", LOG_LEVEL: "DEBUG", LOAD_SOURCE: "x", FLASK_DEBUG: "1", MAX_BODY_BYTES: "1" },
    ...{ PYTHONPATH: "/x", PYTHONWARNINGS: "error", PYTHONOPTIMIZE: "2", PYTHONSTARTUP: "/x", PIP_TARGET: "/x" },
    ...{
      NODE_OPTIONS: "--inspect --require /x",
      NODE_DEBUG: "http",
      NODE_V8_COVERAGE: "/x",
      KUBERNETES_SERVICE_HOST: "x",
    },
    ...{ PWD: "/x", OLDPWD: "/x", SHLVL: "2", _: "/x", npm_lifecycle_event: "start" },
  };
  expect(passed(env)).toEqual([]);
});
