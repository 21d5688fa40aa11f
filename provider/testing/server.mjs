// A service to start in tests: `node server.mjs PORT [MODE]`. Answers with its pid and what it has of its environment.
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { createServer } from "node:http";

const [port, mode = ""] = process.argv.slice(2);
if (mode === "exits") {
  console.error("[1][critical][main] error initializing configuration: no such cluster");
  for (let line = 1; line <= 12; line++) console.log(`[1][info][main] line ${line}`);
  process.exit(3);
}
if (mode === "ignores-sigterm") process.on("SIGTERM", () => console.log("SIGTERM is not for me"));
if (mode === "forks") {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  console.log(`child ${child.pid}`);
}
if (mode === "storms") {
  const lines = "a line of a storm\n".repeat(1000);
  try {
    for (let i = 0; i < 1000; i++) writeSync(1, lines);
  } catch {
    // the disk, or the limit; a program that minds it goes on without a log
  }
}
const delay = mode === "slow" ? 1500 : 0;
setTimeout(() => {
  createServer((_, response) => {
    response.statusCode = mode === "never-ready" ? 503 : 200;
    response.end(JSON.stringify({ pid: process.pid, env: process.env }));
  }).listen(Number(port), "127.0.0.1");
  if (mode !== "storms") console.log("listening");
}, delay);
