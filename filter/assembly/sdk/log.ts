import { proxy_log } from "@solo-io/proxy-runtime/assembly/imports";
import { LogLevel } from "./abi";
import { Line } from "./line";

/** A proxy shows `Info` when its log level for wasm is `info` or lower. */
export function log(level: LogLevel, line: Line): void {
  proxy_log(level, line.start, line.size);
}
