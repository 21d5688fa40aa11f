import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import { kubeconfigIn } from "./kind/config.ts";
import { fakeMachine } from "./kind/testing/machine.ts";

/** As it stands in a state that commit 3456696 has made. */
function earlier() {
  const m = fakeMachine();
  const { owner, registries } = m;
  const kubeconfig = kubeconfigIn(owner.directory);
  mkdirSync(join(owner.directory, "kind"), { recursive: true });
  writeFileSync(kubeconfig, "");
  const made = {
    name: "c",
    nodeImage: "my/node:1",
    gatewayPort: 30000,
    owner,
    generation: "g1",
    kubeconfig,
    registries,
  };
  const file = fileURLToPath(new URL("kind-command.ts", import.meta.url));
  const command = ["--import", "tsx/esm", file, "delete"];
  return { ...m, kubeconfig, run: () => exec(process.execPath, command, { cwd: root, input: JSON.stringify(made) }) };
}

it("deletes its own with its files, and is content when there is none", async () => {
  const e = earlier();
  e.addOwn();
  for (const _ of [1, 2]) expect(await e.run()).toMatchObject({ code: 0, stderr: "" });
  expect(e.asked(/kind delete cluster --name c /)).toBe(true);
  expect(existsSync(e.kubeconfig)).toBe(false);
});

it("leaves the one that came in its place, and that one's files", async () => {
  const e = earlier();
  e.addOwn(true, "g2");
  expect(await e.run()).toMatchObject({ code: 0 });
  expect(e.asked(/kind/)).toBe(false);
  expect(existsSync(e.kubeconfig)).toBe(true);
});

it("leaves somebody else's", async () => {
  const e = earlier();
  e.addNode("/data");
  expect(await e.run()).toMatchObject({ code: 0 });
  expect(e.asked(/kind/)).toBe(false);
});
