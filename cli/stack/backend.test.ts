import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import {
  type BackendWorld,
  backendEnvironment,
  backendFolder,
  decideBackend,
  noteBackend,
  requireNotedBackend,
} from "./backend.ts";

let base: string;
let world: BackendWorld;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "backend-"));
  world = { env: {}, home: join(base, "home"), stateDir: join(base, ".meshup") };
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function credentials(text: string, folder = join(base, "home/.pulumi")): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "credentials.json"), text);
}
const own = () => pathToFileURL(join(base, ".meshup/state")).href;

describe("the decision", () => {
  it("is the clone for a person who is not logged in", () => {
    expect(decideBackend(world)).toMatchObject({ kind: "clone", url: own(), ownPassphrase: true });
  });

  it.each([["{}"], ['{"current":""}'], ['{"current":null}']])("is the clone after a logout: %s", (text) => {
    credentials(text);
    expect(decideBackend(world).kind).toBe("clone");
  });

  it("is the login", () => {
    credentials('{"current":"https://api.pulumi.com"}');
    expect(decideBackend(world)).toMatchObject({ kind: "person", url: "https://api.pulumi.com", ownPassphrase: false });
  });

  it("is PULUMI_BACKEND_URL before the login", () => {
    credentials('{"current":"https://api.pulumi.com"}');
    world.env = { PULUMI_BACKEND_URL: "s3://bucket" };
    expect(decideBackend(world)).toMatchObject({ kind: "person", url: "s3://bucket", reason: "PULUMI_BACKEND_URL" });
  });

  it("knows the clone's own address again, as `npm run init` prints it", () => {
    world.env = { PULUMI_BACKEND_URL: `${own()}/` };
    expect(decideBackend(world)).toMatchObject({ kind: "clone", url: own() });
  });

  it.each([
    ["PULUMI_HOME", "h"],
    ["PULUMI_CREDENTIALS_PATH", "c"],
  ])("finds the login in %s", (name, folder) => {
    credentials('{"current":"https://other"}', join(base, folder));
    world.env = { [name]: join(base, folder) };
    expect(decideBackend(world).url).toBe("https://other");
  });

  it("leaves a login that cannot be read to Pulumi", () => {
    credentials("encrypted");
    expect(decideBackend(world)).toMatchObject({ kind: "person", url: undefined, ownPassphrase: false });
  });

  it("takes an access token for a login", () => {
    world.env = { PULUMI_ACCESS_TOKEN: "pul-x" };
    expect(decideBackend(world).kind).toBe("person");
  });

  it.each([
    ["file:///state", {}, true],
    ["file:///state", { PULUMI_CONFIG_PASSPHRASE: "" }, false],
    ["file:///state", { PULUMI_CONFIG_PASSPHRASE_FILE: "/p" }, false],
    ["s3://bucket", {}, true],
    ["https://pulumi.example.com", {}, false],
  ])("login at %s with %j: our passphrase %s", (url, env, ours) => {
    credentials(JSON.stringify({ current: url }));
    world.env = env;
    expect(decideBackend(world).ownPassphrase).toBe(ours);
  });
});

describe("the environment", () => {
  it("of the clone keeps all that the engine writes in the clone", () => {
    const env = backendEnvironment(decideBackend(world), world);
    expect(env).toMatchObject({ PULUMI_BACKEND_URL: own(), PULUMI_HOME: join(base, ".meshup/pulumi-home") });
    expect(existsSync(join(base, "home"))).toBe(false);
  });

  it("has a passphrase that only its owner reads, and that stays", () => {
    const path = backendEnvironment(decideBackend(world), world).PULUMI_CONFIG_PASSPHRASE_FILE as string;
    const text = readFileSync(path, "utf8");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(text.trim().length).toBeGreaterThan(40);
    backendEnvironment(decideBackend(world), world);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("makes the clone's passphrase again where a shell still has its name, as `init` gave it", () => {
    const first = backendEnvironment(decideBackend(world), world);
    world.env = { ...first };
    rmSync(first.PULUMI_CONFIG_PASSPHRASE_FILE as string);
    const again = backendEnvironment(decideBackend(world), world);
    expect(again).toEqual(first);
    expect(existsSync(again.PULUMI_CONFIG_PASSPHRASE_FILE as string)).toBe(true);
  });

  it("shares the person's plugins, also once the clone has an empty folder for them", () => {
    mkdirSync(join(base, ".meshup/pulumi-home/plugins"), { recursive: true });
    mkdirSync(join(base, "home/.pulumi/plugins"), { recursive: true });
    backendEnvironment(decideBackend(world), world);
    backendEnvironment(decideBackend(world), world);
    expect(lstatSync(join(base, ".meshup/pulumi-home/plugins")).isSymbolicLink()).toBe(true);
  });

  it("leaves plugins that were fetched into the clone alone", () => {
    mkdirSync(join(base, ".meshup/pulumi-home/plugins/resource-x"), { recursive: true });
    mkdirSync(join(base, "home/.pulumi/plugins"), { recursive: true });
    backendEnvironment(decideBackend(world), world);
    expect(existsSync(join(base, ".meshup/pulumi-home/plugins/resource-x"))).toBe(true);
  });

  it("has no folder for the engine's own logs, and those of an earlier version go", () => {
    const logs = join(base, ".meshup/pulumi-home/logs");
    mkdirSync(logs, { recursive: true });
    writeFileSync(join(logs, "up.log"), "");
    for (let i = 0; i < 2; i++) backendEnvironment(decideBackend(world), world);
    expect(statSync(logs).isFile()).toBe(true);
  });

  it("of a person's backend is theirs, with a passphrase that outlasts the clone's state", () => {
    credentials('{"current":"file:///elsewhere"}');
    expect(backendEnvironment(decideBackend(world), world)).toEqual({
      PULUMI_CONFIG_PASSPHRASE_FILE: join(base, ".meshup/passphrase-elsewhere"),
    });
  });

  it("of Pulumi Cloud is empty", () => {
    credentials('{"current":"https://api.pulumi.com"}');
    expect(backendEnvironment(decideBackend(world), world)).toEqual({});
    expect(existsSync(join(base, ".meshup"))).toBe(false);
  });
});

describe("the note of a stack's backend", () => {
  const file = () => join(base, ".meshup/stacks/local/backend");
  const decided = (url?: string) => {
    world.env = { PULUMI_BACKEND_URL: url };
    return decideBackend(world);
  };
  /** The error of a run that decides on `url`; undefined: it may go on. */
  function refusal(url?: string): string | undefined {
    try {
      requireNotedBackend(file(), "local", decided(url), world);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    }
  }

  it("lets any backend pass where there is none", () => {
    expect(refusal()).toBeUndefined();
    expect(refusal("s3://bucket")).toBeUndefined();
  });

  it.each([undefined, "file:///other", "s3://bucket?region=x"])("lets the same one pass: %s", (url) => {
    noteBackend(file(), decided(url));
    expect(refusal(url)).toBeUndefined();
    expect(refusal(url && `${url}/`)).toBeUndefined();
    expect(statSync(file()).mode & 0o077).toBe(0);
  });

  it("names both, and the variable to set, when state elsewhere is looked for in the clone", () => {
    noteBackend(file(), decided("file:///other"));
    const text = refusal();
    expect(text).toMatch(/stack local is in another backend, and nothing was changed/);
    expect(text).toContain("it is in          file:///other\n");
    expect(text).toContain(`this run would use ${own()} (`);
    expect(text).toContain("PULUMI_BACKEND_URL=file:///other\n");
    expect(text).toContain(`remove ${file()}`);
  });

  it("does so the other way round, and after the clone was moved", () => {
    noteBackend(file(), decided());
    expect(refusal("s3://bucket")).toContain(`PULUMI_BACKEND_URL=${own()}\n`);
    world.stateDir = join(base, "moved");
    expect(refusal()).toBeUndefined();
    expect(refusal("s3://bucket")).toContain(`PULUMI_BACKEND_URL=${own().replace(".meshup/state", "moved/state")}\n`);
  });

  it("knows a login that cannot be read only as another one", () => {
    credentials("encrypted");
    noteBackend(file(), decided());
    expect(refusal()).toBeUndefined();
    expect(refusal("s3://bucket")).toMatch(/it is in +the one that you were logged in to[\s\S]*`pulumi login`/);
  });

  it("has no password", () => {
    noteBackend(file(), decided("postgres://me:s3cret@host/state"));
    expect(readFileSync(file(), "utf8")).toBe("postgres://me@host/state");
    expect(refusal("postgres://me:another@host/state")).toBeUndefined();
    expect(refusal()).not.toContain("s3cret");
  });
});

it.each([
  ["file:///a/b", "/a/b"],
  ["file:///a%20b", "/a b"],
  ["file://~", "/home/me"],
  ["file://~/x", "/home/me/x"],
  ["https://api.pulumi.com", undefined],
  [undefined, undefined],
])("the folder of %s is %s", (url, folder) => {
  expect(backendFolder({ url }, "/home/me")).toBe(folder);
});
