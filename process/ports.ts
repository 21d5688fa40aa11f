import { connect, createServer } from "node:net";
import { UserError } from "../lib/errors.ts";
import { portHolder } from "./table.ts";

/**
 * Our programs listen on the first address. `localhost` may also lead to the second one, where another program may
 * listen.
 */
const [ours, theirs] = ["127.0.0.1", "::1"] as const;

/**
 * Checks that each port is free on 127.0.0.1, and that no other program listens on it at ::1: `localhost` may mean
 * either.
 * @param hints by port number: the configuration key that sets the port
 * @throws UserError that names every port in use, and the process that uses it
 */
export async function assertPortsFree(ports: number[], hints: Record<string, string> = {}): Promise<void> {
  const problems = await Promise.all(ports.map((port) => problemOf(port, hints[port])));
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new UserError(found.join("\n"));
}

async function problemOf(port: number, hint: string | undefined): Promise<string | undefined> {
  const change = hint ? `choose another port with ${hint}` : "choose another port";
  const code = await reasonAgainst(port, ours);
  if (code === "EADDRINUSE") return `port ${port} is in use ${by(portHolder(port))}: stop that process, or ${change}`;
  if (code) return `port ${port} cannot be listened on (${code}): ${change}`;
  const other = await otherOnLocalhost(port);
  return other && `${other}: stop that process, or ${change}`;
}

/**
 * Finds another program that `localhost` may lead to: one that has the port on ::1. Our programs never use ::1.
 * @returns undefined if there is none, or no IPv6
 */
export async function otherOnLocalhost(port: number): Promise<string | undefined> {
  if ((await reasonAgainst(port, theirs)) !== "EADDRINUSE") return undefined;
  return `port ${port} on ${theirs}, where localhost may lead, is in use ${by(portHolder(port, theirs))}`;
}

const by = (holder: { pid: number; name: string } | undefined) =>
  holder ? `by ${holder.name} (pid ${holder.pid})` : "by a process that this user may not see";

async function reasonAgainst(port: number, host: string): Promise<string | undefined> {
  return (await listenError(port, host)) ?? ((await answers(port, host)) ? "EADDRINUSE" : undefined);
}

/** The error code of listening on the port; undefined if the port is free. */
function listenError(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** macOS allows listening on one address even if another program has the port on all addresses. */
function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
