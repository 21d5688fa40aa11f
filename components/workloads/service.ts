import * as pulumi from "@pulumi/pulumi";
import { Bundle, Process } from "../../provider/resources.ts";
import { bundleHash } from "../../toolchain/bundle.ts";

/** Where a process of this machine keeps its record and its log, and who it belongs to. */
export interface LocalArgs {
  /** The stack's folder. */
  directory: string;
  /** The port on 127.0.0.1. */
  port: number;
}

export interface LocalServiceArgs extends LocalArgs {
  /** What the service's program reads from its environment, besides HOST and PORT. */
  env?: Record<string, pulumi.Input<string>>;
}

/** One of the project's own services (`services/NAME.ts`), run on this machine from a bundle of its source. */
export class LocalService extends pulumi.ComponentResource {
  readonly process: Process;

  constructor(name: "echo" | "bursting-metrics", args: LocalServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:LocalService", name, {}, opts);
    const { directory, port, env } = args;

    const entry = `services/${name}.ts`;
    const bundle = new Bundle(name, { entry, sourceHash: bundleHash(entry) }, { parent: this });
    this.process = new Process(
      name,
      {
        name,
        directory,
        command: [process.execPath, bundle.file],
        env: { ...env, HOST: "127.0.0.1", PORT: String(port) },
        ports: [port],
        portHints: { [port]: `meshup:ports.${name}` },
        ready: { url: `http://127.0.0.1:${port}/healthz` },
      },
      { parent: this },
    );
    this.registerOutputs({ pid: this.process.pid });
  }
}
