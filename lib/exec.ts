import { spawn } from "node:child_process";

export interface ExecResult {
  /** null when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface ExecOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string;
  /** Milliseconds; the program is killed after them. */
  timeoutMs?: number;
  /** Called with every whole line of either stream, for progress. */
  onLine?: (line: string) => void;
}

/**
 * Runs a program to its end without a shell. Resolves whatever its exit code is.
 * @throws the spawn error (`ENOENT`: there is no such program).
 */
export function exec(command: string, args: string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { cwd, env, input, timeoutMs, onLine } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env });
    // Not spawn's own: of a program that is not there it would go on, and keep this process alive.
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const collect = (stream: NodeJS.ReadableStream) => {
      const chunks: Buffer[] = [];
      let rest = "";
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (!onLine) return;
        const lines = (rest + chunk.toString("utf8")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      });
      return () => Buffer.concat(chunks).toString("utf8");
    };
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: stdout(), stderr: stderr() });
    });
    child.stdin.on("error", () => {}); // the program may end before it has read its input
    child.stdin.end(input);
  });
}
