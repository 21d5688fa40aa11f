import { connect, createServer } from "node:net";
import { UserError } from "../lib/errors.ts";
import { portHolder } from "./table.ts";

/**
 * Sees to it that each port can be listened on at 127.0.0.1.
 * @param hints what to say of a port (by its number): the configuration key that chooses it.
 * @throws UserError that names every port in use, and by which process.
 */
export async function assertPortsFree(ports: number[], hints: Record<string, string> = {}): Promise<void> {
  const problems = await Promise.all(ports.map((port) => problemOf(port, hints[port])));
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new UserError(found.join("\n"));
}

async function problemOf(port: number, hint: string | undefined): Promise<string | undefined> {
  const change = hint ? `choose another port with ${hint}` : "choose another port";
  const code = (await listenError(port)) ?? ((await answers(port)) ? "EADDRINUSE" : undefined);
  if (!code) return undefined;
  if (code !== "EADDRINUSE") return `port ${port} cannot be listened on (${code}): ${change}`;
  const holder = portHolder(port);
  const by = holder ? `by ${holder.name} (pid ${holder.pid})` : "by a process that this user may not see";
  return `port ${port} is in use ${by}: stop that process, or ${change}`;
}

/** The error code of listening on the port; undefined when it is free. */
function listenError(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** macOS lets us listen on 127.0.0.1 beside one who has the port on all addresses. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
