/** The processes of a stack, from its state and from the process table. */
import { inThisClone } from "../../lib/clone.ts";
import { isOurs, type OwnedProcess } from "../../process/owner.ts";
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
  world = { isOurs, processStart },
): ProcessStatus[] {
  const processes = deployment?.resources?.filter((r) => r.type === "meshup:local:Process") ?? [];
  return processes.map(({ inputs = {}, outputs = {} }) => {
    const { pid, startTime, bootId, clone } = outputs;
    const identity = { pid, startTime, bootId, clone } as OwnedProcess;
    const alive = world.isOurs(identity);
    const started = alive ? world.processStart(identity.pid) : undefined;
    return {
      name: String(inputs.name),
      pid: identity.pid,
      alive,
      ports: (inputs.ports as number[] | undefined) ?? [],
      uptimeMs: started && Math.max(0, now - started.getTime()),
      log: inThisClone(String(outputs.log)),
    };
  });
}
