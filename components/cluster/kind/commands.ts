/** What @pulumi/command runs for a kind cluster: kind's own commands, as a person would type them. */
import { hostsDirectory, hostsToml, nodeName } from "./config.ts";

export interface CommandArgs {
  /** Name of the cluster. */
  name: string;
  /** Where the node has its mark: see `markOf`. */
  mark: string;
  /** Image of the node. Default: kind's own. */
  nodeImage?: string;
  /** Absolute path of the file that kind writes the kubeconfig to. */
  kubeconfig: string;
  /** Registries that the node reaches over plain HTTP: the name that images are pulled by → address. */
  registries: Record<string, string>;
}

export interface Commands {
  create: string;
  update: string;
  delete: string;
}

/**
 * For `/bin/sh`. `create` reads kind's configuration from its input; `create` and `update` print the kubeconfig, and nothing
 * else. A cluster that does not have the mark is somebody else's: `kind create` refuses to make another one of its name, and
 * nothing deletes it.
 */
export function kindCommands({ name, mark, nodeImage, kubeconfig, registries }: CommandArgs): Commands {
  const node = nodeName(name);
  // Fails where Docker does not answer: nothing is said to be gone then.
  const find = `own=$(docker ps --all --quiet --filter ${quote(`volume=${mark}`)})`;
  const image = nodeImage === undefined ? "" : ` --image ${quote(nodeImage)}`;
  const kubectl = `docker exec ${node} kubectl --kubeconfig=/etc/kubernetes/admin.conf`;
  const makeKnown = Object.entries(registries).flatMap(([registry, address]) => [
    `docker exec ${node} mkdir -p ${hostsDirectory(registry)}`,
    `docker exec -i ${node} tee ${hostsDirectory(registry)}/hosts.toml >/dev/null <<'END'`,
    `${hostsToml(address).trimEnd()}\nEND`,
  ]);
  const update = [...makeKnown, `kind get kubeconfig --name ${name}`];
  return {
    create: script([
      find,
      'if [ -z "$own" ]; then',
      `  ${kindCreate} ${name} --kubeconfig ${quote(kubeconfig)} --config - --wait 180s${image}`,
      // kind itself is content with a node that is not ready when its time is over.
      `  ${kubectl} wait --for=condition=Ready node --all --timeout=5s >&2`,
      "fi",
      ...update,
    ]),
    update: script(update),
    // kind takes the cluster out of a kubeconfig, by default the person's own. Ours goes as a whole, and not from here: the
    // clone may be in another place by then.
    delete: script([
      find,
      'if [ -n "$own" ]; then',
      `  kind delete cluster --name ${name} --kubeconfig "\${TMPDIR:-/tmp}/${name}.kubeconfig"`,
      "fi",
    ]),
  };
}

/** How the command begins that makes a cluster; its name follows. */
export const kindCreate = "kind create cluster --name";

const script = (lines: string[]) => ["set -e", ...lines].join("\n");

/** As one word of the shell. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
