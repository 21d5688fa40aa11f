import * as pulumi from "@pulumi/pulumi";
import { Process } from "../../provider/resources.ts";
import type { Declaration } from "./declared.ts";
import { environment } from "./environment.ts";
import type { LocalArgs } from "./service.ts";

export interface LocalCommandArgs extends Omit<LocalArgs, "port"> {
  /** The workload as it is declared. */
  declaration: Declaration<"command">;
}

/** Milliseconds that a person's own program may take: one that compiles first is slow. */
const readyTimeoutMs = 60_000;

/** A person's own program as a process of this machine, told by its environment where to listen. */
export class LocalCommand extends pulumi.ComponentResource {
  readonly process: Process;

  constructor(name: string, args: LocalCommandArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:LocalCommand", name, {}, opts);
    const { directory, declaration } = args;
    const { command, port, env, healthPath } = declaration;

    this.process = new Process(
      name,
      {
        name,
        directory,
        command,
        workingDirectory: declaration.directory,
        env: { HOST: "127.0.0.1", PORT: String(port), ...environment(env) },
        ports: [port],
        portHints: { [port]: `meshup:workloads.${name}.port` },
        ready: healthPath === undefined ? { port } : { url: `http://127.0.0.1:${port}${healthPath}` },
        readyTimeoutMs,
      },
      { parent: this },
    );
    this.registerOutputs({ pid: this.process.pid });
  }
}
