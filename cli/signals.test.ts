import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { onSignals } from "./signals.ts";

function hear() {
  const heard: [number, string][] = [];
  onTestFinished(onSignals((count, signal) => void heard.push([count, signal])));
  return { heard, send: (signal: NodeJS.Signals) => process.emit(signal, signal) };
}

test("one Ctrl-C is one, though npm hands it on a second time", async () => {
  const { heard, send } = hear();
  send("SIGINT");
  send("SIGINT");
  await sleep(250);
  send("SIGINT");
  expect(heard).toEqual([
    [1, "SIGINT"],
    [2, "SIGINT"],
  ]);
});

test("another signal is another one", () => {
  const { heard, send } = hear();
  send("SIGHUP");
  send("SIGTERM");
  expect(heard.map(([, signal]) => signal)).toEqual(["SIGHUP", "SIGTERM"]);
});
