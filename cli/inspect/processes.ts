/** The processes of a stack, from its state and from the process table. */
import { isAlive, type ProcessIdentity } from "../../process/table.ts";
import { processStart } from "../stack/locks.ts";
import type { Deployment } from "../stack/stack.ts";

export interface ProcessStatus {
  name: string;
  pid: number;
  alive: boolean;
  ports: number[];
  /** Milliseconds since it started; undefined when it is dead. */
  uptimeMs?: number;
  /** Absolute path. */
  log: string;
}

/** @param now milliseconds since 1970 */
export function processesOf(
  deployment: Deployment | undefined,
  now: number,
  world = { isAlive, processStart },
): ProcessStatus[] {
  const processes = deployment?.resources?.filter((r) => r.type === "meshup:local:Process") ?? [];
  return processes.map(({ inputs = {}, outputs = {} }) => {
    const identity = { pid: outputs.pid, startTime: outputs.startTime, bootId: outputs.bootId } as ProcessIdentity;
    const alive = world.isAlive(identity);
    const started = alive ? world.processStart(identity.pid) : undefined;
    return {
      name: String(inputs.name),
      pid: identity.pid,
      alive,
      ports: (inputs.ports as number[] | undefined) ?? [],
      uptimeMs: started && Math.max(0, now - started.getTime()),
      log: String(outputs.log),
    };
  });
}
