import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { nodeName } from "../../components/cluster/kind/config.ts";
import type { Policy } from "../../components/mesh/envoy-gateway/inspect/policy.ts";
import { KubeApi } from "../../kube/api.ts";
import { type Pod, podsOf } from "../../kube/pods.ts";
import { type ExecResult, exec } from "../../lib/exec.ts";
import { type ClusterSettings, ScratchClone } from "../local/scratch-clone.ts";

/** What `npm start --json` prints, as far as it is read here. */
export interface StartDocument {
  outputs: Outputs;
  proofs: { ok: boolean }[];
}

export interface Outputs {
  filters: { name: string; digest: string; delivery: string; image?: string }[];
}

/** The stack `dev`, or `dev-istio`, in a scratch clone, with a cluster of its own. */
export class DevStack {
  readonly clone: ScratchClone;
  /** The stack's file, as it is committed but for the cluster's name and ports. */
  readonly stackFile: string;
  readonly cluster: Required<ClusterSettings>;

  private constructor(clone: ScratchClone, stackFile: string, cluster: ClusterSettings) {
    this.clone = clone;
    this.cluster = { registryHost: "registry.localhost", ...cluster };
    this.stackFile = stackFile;
  }

  static async make(kind: ClusterSettings, stack: "dev" | "dev-istio" = "dev"): Promise<DevStack> {
    const clone = await ScratchClone.inKind(stack, kind);
    return new DevStack(clone, await clone.read(clone.stackFile), kind);
  }

  /** `npm start -- STACK` */
  start(env: NodeJS.ProcessEnv = {}): Promise<ExecResult> {
    return this.clone.run(["start", this.clone.stack], env);
  }

  /** Brings the stack up as it is configured now. @throws with what it printed */
  up(env: NodeJS.ProcessEnv = {}): Promise<StartDocument> {
    return this.clone.json<StartDocument>(["start", this.clone.stack], env);
  }

  /** The configuration as it was at first; `up` puts it in force. */
  restore(): Promise<void> {
    return this.clone.write(this.clone.stackFile, this.stackFile);
  }

  declare(filter: Record<string, unknown>): Promise<void> {
    return this.clone.configure((file) => file.addIn(["config", "meshup:filters"], filter));
  }

  async header(path: string, name: string, headers?: Record<string, string>): Promise<string | undefined> {
    return (await this.clone.get(path, headers)).headers[name];
  }

  api(): Promise<KubeApi> {
    return KubeApi.open(join(this.clone.folder, ".meshup/stacks", this.clone.stack, "kubeconfig"));
  }

  kubectl(...args: string[]): Promise<ExecResult> {
    const node = nodeName(this.cluster.name);
    return exec("docker", ["exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", ...args]);
  }

  async podsFor(app: string): Promise<Pod[]> {
    return podsOf(await this.api(), "default", { app });
  }

  /** Sends echo requests that keep it busy for as long as the work takes. */
  async underLoad(work: () => Promise<void>): Promise<void> {
    let burning = true;
    const burn = async () => {
      while (burning) await this.clone.get("/echo?burn=200").catch(() => {});
    };
    const load = [burn(), burn(), burn()];
    try {
      await work();
    } finally {
      burning = false;
      await Promise.all(load);
    }
  }

  /** Each policy's condition Accepted. */
  async policies(): Promise<{ name: string; status: string; message: string }[]> {
    const path = "/apis/gateway.envoyproxy.io/v1alpha1/namespaces/default/envoyextensionpolicies";
    const all = await (await this.api()).list<Policy>(path);
    return all.flatMap(({ metadata: { name }, status }) =>
      (status?.ancestors ?? []).flatMap(({ conditions }) =>
        conditions.filter(({ type }) => type === "Accepted").map(({ status, message }) => ({ name, status, message })),
      ),
    );
  }

  /** Starts the stack, and kills the command with all that it has started itself once it has printed this. */
  async startAndKill(after: RegExp): Promise<string> {
    const child: ChildProcess = spawn(process.execPath, this.clone.command(["start", this.clone.stack]), {
      cwd: this.clone.folder,
      env: this.clone.env(),
      detached: true, // a group of its own, to be killed as one
      stdio: ["ignore", "ignore", "pipe"],
    });
    let printed = "";
    const ended = new Promise((resolve) => child.once("close", resolve));
    await new Promise<void>((resolve, reject) => {
      child.once("close", () => reject(new Error(`it ended before it could be killed:\n${printed}`)));
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        if (after.test(printed)) resolve();
      });
    });
    process.kill(-(child.pid as number), "SIGKILL");
    await ended;
    return printed;
  }
}

/** The names of all containers on this machine. */
export async function containers(): Promise<string[]> {
  const { stdout } = await exec("docker", ["ps", "--all", "--format", "{{.Names}}"]);
  return stdout.split("\n").filter(Boolean).sort();
}
