/** A stack's logs, by name: files of this machine's processes, or those of pods. */

export interface Logs {
  /** In the order of the alphabet. */
  names: string[];
  /** The last `count` lines of one, from each place where it is written. */
  last(name: string, count: number): Promise<LogTail[]>;
  /** The last `count` lines of each, and what comes then, until `signal` fires. */
  follow(names: string[], count: number, onLine: OnLine, signal: AbortSignal): Promise<void>;
}

export interface LogTail {
  /** Absolute path of a file, or a pod's name. */
  from: string;
  lines: string[];
  /** Why there are none, or none that are newer. */
  problem?: string;
  /** It should be there, and cannot be read. */
  unreadable?: true;
}

/** @param from as in `LogTail` */
export type OnLine = (name: string, from: string, line: string) => void;
