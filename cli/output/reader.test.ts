import { expect, test } from "vitest";
import { exec } from "../../lib/exec.ts";

const reader = JSON.stringify(String(new URL("reader.ts", import.meta.url)));
const node = `"${process.execPath}" --import tsx --input-type=module --eval`;

/** Runs a line of sh, with $0 a program that prints one line and goes on until its reader has gone. */
function sh(line: string, { print = "" } = {}) {
  const program = `
    import { onReaderGone } from ${reader};
    let n = 0;
    const on = setInterval(() => { ${print} }, 100);
    onReaderGone(() => { clearInterval(on); console.error("gone"); });
    console.log("line");`;
  return exec("sh", ["-c", `endless() { ${node} "$0"; }; ${line}`, program], { timeoutMs: 30_000 });
}

test.runIf(process.platform === "linux")("that a reader has gone is known though nothing more is printed", async () => {
  expect(await sh("endless | head -1")).toMatchObject({ code: 0, stdout: "line\n", stderr: "gone\n" });
});

test("that a reader has gone is known when something is printed", async () => {
  expect(await sh("endless | true", { print: 'console.log("more")' })).toMatchObject({ code: 0, stderr: "gone\n" });
});

test("a reader that is slow, and another program than at first, is there", async () => {
  const print = 'if (++n === 25) console.log("more"); if (n === 28) process.exit();';
  const result = await sh("endless | { head -1; sleep 1; cat; }", { print });
  expect(result).toMatchObject({ stdout: "line\nmore\n", stderr: "" });
});
