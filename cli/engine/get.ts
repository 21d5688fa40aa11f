/** Gets a Pulumi engine where there is none. */
import { spawn } from "node:child_process";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { coerce, gte } from "semver";
import { makeCacheFolder } from "../../lib/cache.ts";
import { diskProblemIn } from "../../lib/disk.mjs";
import { npmEnvironment } from "../../lib/environment.mjs";
import { UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { writeWhole } from "../../lib/files.ts";
import { isExecutable } from "../../lib/programs.ts";
import { duration } from "../output/terminal.ts";
import { builtPath, type EngineWorld, engineVersion, pulumiHome } from "./world.ts";

/** What pulumi's go.mod asks for. */
const oldestGo = "1.25.11";

/** What `go build -v` compiles where its cache is empty, the standard library with it. */
const allPackages = 1700;

/**
 * Through npm's `pulumi` package, a launcher that downloads the engine from Pulumi's site into
 * `~/.pulumi/versions/VERSION`.
 */
export async function fetchByNpm({ env, home, note }: EngineWorld): Promise<string> {
  note(`Fetching the Pulumi engine ${engineVersion} through npm's launcher`);
  const quick = ["--fetch-retries=0", "--fetch-timeout=20000", "--no-update-notifier", "--no-color"];
  const args = ["exec", "--yes", "--no-dry-run", "--no-global", "--location=project", ...quick];
  const result = await runGroup("npm", [...args, `pulumi@${engineVersion}`, "--", "version"], {
    env: { ...npmEnvironment(env), PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeoutMs: 300_000,
    progress: (elapsed) => note(`  npm's launcher: ${elapsed}`),
  });
  const path = join(pulumiHome({ env, home }), "versions", engineVersion, "bin", "pulumi");
  if (result.code === 0 && isExecutable(path)) return path;
  if (result.timedOut) throw new Error("it did not end within 5 min");
  const lines = result.output.split("\n").filter((line) => /^pulumi: |^npm (error|ERR!) \S/.test(line));
  throw new Error(lines.slice(0, 3).join("; ") || `it ended with ${result.code}`);
}

/** From its Go module, which takes some minutes; kept outside the clone, so that it happens once. */
export async function buildFromGo(world: EngineWorld): Promise<string> {
  const { env, note } = world;
  const target = builtPath(world);
  const folder = makeCacheFolder(dirname(target), "install Pulumi");
  const problem = await goProblem(world);
  if (problem) throw new Error(problem);

  note(`Building the Pulumi engine ${engineVersion} from its Go module: about 3 to 8 minutes, once`);
  const scratch = join(folder, `.build-${process.pid}`);
  const output = join(folder, `.pulumi-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  try {
    writeWhole(join(scratch, "go.mod"), goMod);
    let modules = 0;
    let packages = 0;
    const result = await runGroup("go", buildArguments(output), {
      cwd: scratch,
      env: goEnvironment(env),
      timeoutMs: 45 * 60_000,
      onLine: (line) => {
        if (line.startsWith("go: downloading ")) modules++;
        else if (/^[\w.-]+(\/[\w.~-]+)*$/.test(line)) packages++;
      },
      progress: (elapsed) =>
        note(
          `  go build: ${elapsed}, ${modules} modules fetched, ${packages} of about ${allPackages} packages compiled`,
        ),
    });
    const full = result.code === 0 ? undefined : diskProblemIn(result.output, [folder, ...goFolders(env, world.home)]);
    if (full !== undefined) throw new UserError(full);
    if (result.code !== 0) throw new Error(buildFailure(result));
    renameSync(output, target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(output, { force: true });
  }
  note(`  the engine is built: ${target}`);
  return target;
}

/** Node's names of machines that Go has another one for. */
const goArchitectures: Record<string, string> = { x64: "amd64", ia32: "386" };

/**
 * Go for this very machine and this one module: without what people have set for other machines and projects. Module
 * proxies, caches and toolchains stay. What `go env -w` has set is outranked by a variable that is not empty only.
 */
export function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GOEXPERIMENT, GODEBUG, GOARM, GO386, GOAMD64, GOARM64, GOCOVERDIR, ...rest } = env;
  const flags = (env.GOFLAGS ?? "").split(/\s+/).filter((flag) => /^--?(p|modcacherw)(=|$)/.test(flag));
  return {
    ...rest,
    GOOS: process.platform,
    GOARCH: goArchitectures[process.arch] ?? process.arch,
    GO111MODULE: "on",
    GOWORK: "off",
    CGO_ENABLED: "0",
    GOFLAGS: [...flags, "-mod=mod"].join(" "),
  };
}

/** Where Go writes beside the folder that it is told. */
function goFolders(env: NodeJS.ProcessEnv, home: string): string[] {
  return [env.GOCACHE ?? join(home, ".cache", "go-build"), env.GOPATH ?? join(home, "go"), tmpdir()];
}

const modulePath = "github.com/pulumi/pulumi";

/** `go install …@version` refuses: the module has replace directives. */
const goMod = `module meshup/engine

go ${oldestGo}

require ${modulePath}/pkg/v3 v${engineVersion}

replace ${modulePath}/sdk/v3 => ${modulePath}/sdk/v3 v${engineVersion}
`;

function buildArguments(output: string): string[] {
  const flags = `-s -w -X ${modulePath}/sdk/v3/go/common/version.Version=${engineVersion}`;
  return ["build", "-v", "-trimpath", "-ldflags", flags, "-o", output, `${modulePath}/pkg/v3/cmd/pulumi`];
}

function buildFailure({ output, timedOut, code }: GroupResult): string {
  if (timedOut) return "go build did not end within 45 min";
  const lines = output.split("\n").filter((line) => line && !line.startsWith("go: downloading ") && /[\s:]/.test(line));
  return `go build ended with ${code}: ${lines.slice(-3).join("; ")}`;
}

/** Why Go cannot build it; undefined when it can. */
async function goProblem({ env, home }: EngineWorld): Promise<string | undefined> {
  if (!env.GOPATH && home.includes(delimiter))
    return `HOME is ${home}, and Go takes a path with "${delimiter}" for two: set GOPATH to a folder without one`;
  const asking = exec("go", ["env", "GOVERSION", "GOTOOLCHAIN"], { env: goEnvironment(env), timeoutMs: 20_000 });
  const result = await asking.catch(() => undefined);
  if (!result) return "Go is not on PATH";
  const [version = "", toolchain = ""] = result.stdout.trim().split("\n");
  if (result.code !== 0) return `\`go env\` ended with ${result.code}`;
  return goVersionProblem(version, toolchain);
}

/** @param version as `go env GOVERSION` says it: `go1.26.8`; from 1.21 on Go fetches a newer toolchain by itself. */
export function goVersionProblem(version: string, toolchain: string): string | undefined {
  const number = coerce(/^go[\d.]+/.exec(version)?.[0]);
  if (number && gte(number, oldestGo)) return undefined;
  if (number && gte(number, "1.21.0") && toolchain !== "local") return undefined;
  return `${version || "this Go"} is too old, ${oldestGo} or newer is needed`;
}

interface GroupOptions {
  cwd?: string;
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  onLine?: (line: string) => void;
  /** Called with the time so far, now and then. */
  progress: (elapsed: string) => void;
}

interface GroupResult {
  code: number | null;
  /** Both streams. */
  output: string;
  timedOut: boolean;
}

let interrupted = false;

/** Runs a program with all that it starts in a process group of its own, which ends as a whole: at a time limit, or with us. */
async function runGroup(command: string, args: string[], options: GroupOptions): Promise<GroupResult> {
  const started = Date.now();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => {
    try {
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    } catch {
      // it has ended
    }
  };
  const onSignal = () => {
    interrupted = true;
    kill();
  };
  let [output, rest, timedOut] = ["", "", false];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk).slice(-200_000);
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onLine?.(line);
    });
  const limit = setTimeout(() => {
    timedOut = true;
    kill();
  }, options.timeoutMs);
  const ticker = setInterval(() => options.progress(duration(Date.now() - started)), 10_000);
  process.on("exit", kill);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (interrupted) throw new UserError("Stopped.");
    return { code, output, timedOut };
  } finally {
    clearTimeout(limit);
    clearInterval(ticker);
    process.off("exit", kill);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
  }
}
