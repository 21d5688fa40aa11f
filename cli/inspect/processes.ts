/** The processes of a stack, from their records and from the process table. */
import { basename } from "node:path";
import { isOurs } from "../../process/owner.ts";
import { readRecord, recordsIn } from "../../process/record.ts";
import { processStart } from "../stack/locks.ts";

export interface ProcessStatus {
  name: string;
  pid: number;
  alive: boolean;
  ports: number[];
  /** It is ready when this address answers 2xx. */
  readyUrl?: string;
  /** Milliseconds since it started; undefined when it is dead. */
  uptimeMs?: number;
  /** Absolute path. */
  log: string;
}

/**
 * @param directory the stack's folder
 * @param now milliseconds since 1970
 */
export function processesIn(directory: string, now: number, world = { isOurs, processStart }): ProcessStatus[] {
  return recordsIn(directory).flatMap((path) => {
    const record = readRecord(path);
    if (!record) return [];
    const alive = world.isOurs(record);
    const started = alive ? world.processStart(record.pid) : undefined;
    return {
      name: basename(path, ".json"),
      pid: record.pid,
      alive,
      ports: record.ports ?? [],
      ...(record.readyUrl !== undefined && { readyUrl: record.readyUrl }),
      uptimeMs: started && Math.max(0, now - started.getTime()),
      log: path.replace(/\.json$/, ".log"),
    };
  });
}
