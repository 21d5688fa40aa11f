import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Where tests look for ports: below those that systems give to outgoing connections (Linux: from 32768), which come and
 * go at any time, and below Kubernetes' node ports (from 30000).
 */
const [lowest, highest] = [12_000, 29_999];

/** A port on 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  return ((await freePorts(1)) as [number])[0];
}

/** Ports on 127.0.0.1 that are free now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(lowest, highest + 1);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
