import { connect, createServer } from "node:net";
import { UserError } from "../lib/errors.ts";
import { portHolder } from "./table.ts";

/** Ours listen on the first; a program that has the second is where `localhost` may lead as well. */
const [ours, theirs] = ["127.0.0.1", "::1"] as const;

/**
 * Sees to it that each port can be listened on at 127.0.0.1, and that no other program has it on ::1: people and their
 * programs ask `localhost`, which may be either.
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
  const code = await reasonAgainst(port, ours);
  if (code === "EADDRINUSE") return `port ${port} is in use ${by(portHolder(port))}: stop that process, or ${change}`;
  if (code) return `port ${port} cannot be listened on (${code}): ${change}`;
  const other = await otherOnLocalhost(port);
  return other && `${other}: stop that process, or ${change}`;
}

/**
 * Who else is at `localhost`: a program that has the port on ::1, which none of ours ever takes.
 * @returns undefined where there is none, or no IPv6
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

/** The error code of listening on the port; undefined when it is free. */
function listenError(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** macOS lets us listen on an address of our own beside one who has the port on all addresses. */
function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
