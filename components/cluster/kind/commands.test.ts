import { join } from "node:path";
import { expect, it } from "vitest";
import { exec } from "../../../lib/exec.ts";
import { type CommandArgs, type Commands, kindCommands } from "./commands.ts";
import { markOf, ownerId } from "./config.ts";
import { fakeMachine, kubeconfigText } from "./testing/machine.ts";

/** The commands, run as @pulumi/command runs them. */
function commands(over: Partial<CommandArgs> = {}, { ready = true } = {}) {
  const m = fakeMachine({ ready });
  const kubeconfig = join(m.owner.directory, "it's a kubeconfig");
  const mark = markOf(ownerId(m.owner), "g1");
  const all = kindCommands({ name: "c", mark, kubeconfig, registries: m.registries, ...over });
  return {
    ...m,
    kubeconfig,
    run: (which: keyof Commands) => exec("/bin/sh", ["-c", all[which]], { input: "its config" }),
  };
}

it("create makes a cluster whose node knows the registry, and prints its kubeconfig alone", async () => {
  const c = commands({ nodeImage: "my/node:1" });
  expect(await c.run("create")).toMatchObject({ code: 0, stdout: kubeconfigText });
  expect(c.asked(/kind create cluster --name c --kubeconfig .*it's a kubeconfig --config - .*--image my\/node:1/)).toBe(
    true,
  );
  expect(c.file("config")).toBe("its config");
  expect(c.file("finished")).toContain('server = "http://c-registry:5000"');
});

it("create takes over the stack's own cluster", async () => {
  const c = commands();
  c.addOwn();
  expect(await c.run("create")).toMatchObject({ code: 0, stdout: kubeconfigText });
  expect(c.asked(/kind (create|delete)/)).toBe(false);
  expect(c.file("finished")).toContain("c-registry");
});

it("create fails where the node does not get ready", async () => {
  const c = commands({}, { ready: false });
  expect((await c.run("create")).code).not.toBe(0);
  expect(c.asked(/kind get/)).toBe(false);
});

it.each(["/data", "/etc/meshup/dev-000000000000/g1", "/etc/meshup"])(
  "a cluster of that name with %s is neither taken over nor deleted",
  async (mount) => {
    const c = commands();
    c.addNode(mount);
    const { code, stderr } = await c.run("create");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "node(s) already exist\n" });
    expect(await c.run("delete")).toMatchObject({ code: 0 });
    expect(c.asked(/kind delete|kind get/)).toBe(false);
  },
);

it("update has a changed registry known, and makes nothing", async () => {
  const c = commands({ registries: { "other.localhost:5000": "http://c-registry:5000" } });
  c.addOwn();
  expect(await c.run("update")).toMatchObject({ code: 0, stdout: kubeconfigText });
  expect(c.asked(/tee \/etc\/containerd\/certs.d\/other.localhost:5000\/hosts.toml/)).toBe(true);
  expect(c.asked(/kind create/)).toBe(false);
});

it("delete takes the one with its mark, not the one that came in its place, and is content when there is none", async () => {
  const c = commands();
  c.addOwn(true, "g2");
  expect((await c.run("delete")).code).toBe(0);
  expect(c.asked(/kind delete/)).toBe(false);
  c.addOwn(false);
  expect((await c.run("delete")).code).toBe(0);
  expect(c.asked(/kind delete cluster --name c /)).toBe(true);
  expect((await c.run("delete")).code).toBe(0);
});

it("where Docker does not answer, nothing is taken for gone", async () => {
  const c = commands();
  c.addOwn();
  c.stopDocker();
  for (const which of ["create", "delete"] as const) expect((await c.run(which)).code).not.toBe(0);
  expect(c.asked(/kind/)).toBe(false);
});

it("delete does not need the clone where it was, and leaves people's own kubeconfig alone", async () => {
  const c = commands();
  c.addOwn();
  await c.run("delete");
  expect(c.asked(new RegExp(`delete .*${c.owner.directory}`))).toBe(false);
  expect(c.asked(/delete cluster --name c --kubeconfig \S+\/c\.kubeconfig/)).toBe(true);
});
