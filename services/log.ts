export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Writes one line; `fields` become members of the JSON object beside `time`, `level`, `service` and `message`. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** A log of JSON lines (default: to stdout) that drops what is below `level`. */
export function createLog(
  service: string,
  level: LogLevel,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  const lowest = logLevels.indexOf(level);
  return (lineLevel, message, fields) => {
    if (logLevels.indexOf(lineLevel) < lowest) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level: lineLevel, service, message, ...fields })}\n`);
  };
}
