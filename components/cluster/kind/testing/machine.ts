import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { scratch, script } from "../../../../provider/testing/scratch.ts";
import { markOf, ownerId } from "../config.ts";

/** What the kind of `fakeMachine` prints. It leads nowhere. */
export const kubeconfigText = "clusters: []\n";

/** A machine whose docker and kind are scripts that write down what they are asked; the node is a file. */
export function fakeMachine({ ready = true, copyError = "Error: No such container:path: $2" } = {}) {
  const bin = scratch();
  const [node, log] = [join(bin, "node.json"), join(bin, "log")];
  const owner = { stack: "dev", directory: join(bin, "stack") };
  script(
    join(bin, "docker"),
    `echo "docker $*" >>${log}`,
    `case "$*" in`,
    // With the filter that Docker has for where something is mounted.
    `  ps*volume=*) [ ! -e ${node} ] || case "$(cat ${node})" in *'"Destination":"'"\${5#volume=}"'"'*) echo 1;; esac;;`,
    `  "container inspect"*) [ -e ${node} ] && cat ${node} || { echo "Error: No such container" >&2; exit 1; };;`,
    `  cp*) case "$*" in */registry.localhost:5000/*) [ -e ${bin}/finished ] && exit; esac`,
    `    echo "${copyError}" >&2; exit 1;;`,
    `  *tee*) cat | tee ${bin}/finished;;`,
    `  start*) sed -i 's/"Running":false/"Running":true/' ${node}; echo started;;`,
    `  *kubectl*) echo condition met; ${ready ? "true" : "false"};;`,
    "esac",
  );
  script(
    join(bin, "kind"),
    `echo "kind $*" >>${log}`,
    `case "$1 $2" in`,
    `  "create cluster") [ ! -e ${node} ] || { echo "node(s) already exist" >&2; exit 1; }; cat >${bin}/config; env >${bin}/environment;;`,
    `  "delete cluster") rm -f ${node} ${bin}/finished;;`,
    `  "get kubeconfig") printf '${kubeconfigText.replace("\n", "\\n")}';;`,
    "esac",
  );
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const addNode = (destination: string, running = true, paused = false) =>
    writeFileSync(
      node,
      JSON.stringify([
        {
          ...{ Id: "1", Name: "/c-control-plane", State: { Running: running, Paused: paused }, Config: { Labels: {} } },
          ...{ Mounts: [{ Destination: destination, Source: "/x" }], NetworkSettings: { Ports: {}, Networks: {} } },
        },
      ]),
    );
  return {
    owner,
    registries: { "registry.localhost:5000": "http://c-registry:5000" },
    addNode,
    addOwn: (running?: boolean, generation = "g1", paused?: boolean) =>
      addNode(markOf(ownerId(owner), generation), running, paused),
    stopDocker: () => script(join(bin, "docker"), 'echo "Cannot connect to the Docker daemon" >&2; exit 1'),
    finish: () => writeFileSync(join(bin, "finished"), ""),
    asked: (what: RegExp) => existsSync(log) && what.test(readFileSync(log, "utf8")),
    file: (name: string) => readFileSync(join(bin, name), "utf8"),
  };
}
