import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { identify } from "../../process/table.ts";
import { scratch, script } from "../../provider/testing/scratch.ts";
import { removeLeftovers } from "../e2e/leftovers.ts";
import { ownerFile } from "./scratch-clone.ts";

/** A machine with the containers of the cluster `c`, made from `clone`; docker is a script. */
function machine(clone: string) {
  const bin = scratch();
  const [log, containers] = [join(bin, "log"), join(bin, "containers.json")];
  const directory = `${clone}/.meshup/stacks/dev`;
  const common = { State: { Running: true }, NetworkSettings: { Ports: {}, Networks: {} } };
  const labels = { "dev.meshup.owner": "dev-1", "dev.meshup.generation": "g", "dev.meshup.directory": directory };
  writeFileSync(
    containers,
    JSON.stringify([
      {
        ...{ ...common, Id: "node", Name: "/c-control-plane", Config: { Labels: {} } },
        Mounts: [{ Destination: "/etc/meshup/dev-1/g", Source: `${directory}/kind` }],
      },
      { ...common, Id: "registry", Name: "/c-registry", Config: { Labels: labels }, Mounts: [] },
    ]),
  );
  script(join(bin, "docker"), `echo "$*" >>${log}`, `[ "$1" = container ] && cat ${containers} || true`);
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

function scratchClone(): string {
  const clone = join(scratch(), "meshup-clone-x");
  mkdirSync(clone);
  return clone;
}

it("removes what a killed run has left, and its clone", async () => {
  const clone = scratchClone();
  const child = spawn("true");
  await new Promise((resolve) => child.once("exit", resolve));
  writeFileSync(join(clone, ownerFile), JSON.stringify({ ...identify(process.pid), pid: child.pid }));
  machine(clone);
  expect(await removeLeftovers("c")).toEqual(["c-control-plane", "c-registry"]);
  expect(existsSync(clone)).toBe(false);
});

it("removes what was left of a clone that has gone", async () => {
  machine("/tmp/meshup-clone-gone");
  expect(await removeLeftovers("c")).toHaveLength(2);
});

it("touches nothing of a run that is under way", async () => {
  const clone = scratchClone();
  writeFileSync(join(clone, ownerFile), JSON.stringify(identify(process.pid)));
  machine(clone);
  await expect(removeLeftovers("c")).rejects.toThrow(/c-control-plane belongs to a run that is under way/);
  expect(existsSync(clone)).toBe(true);
});

it("touches nothing that was made from anybody's own clone", async () => {
  machine("/home/me/meshup");
  expect(await removeLeftovers("c")).toEqual([]);
});
