import { parentPort, workerData } from "node:worker_threads";
import type { LogLine } from "../abi/errors.ts";
import { examine, type Finding, type Subject } from "./examine.ts";

/** What the thread tells; messages arrive even if it then never comes back. */
export type Report = { log: LogLine } | { call: string } | { finding: Finding };

const tell = (report: Report) => parentPort?.postMessage(report);

const finding = examine(workerData as Subject, {
  onLog: (log) => tell({ log }),
  onCall: (call) => tell({ call }),
});
tell({ finding });
