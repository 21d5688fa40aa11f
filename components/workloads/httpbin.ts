import { relative } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../../lib/paths.ts";
import { Process, type PythonPackages } from "../../provider/resources.ts";
import type { LocalArgs } from "./service.ts";

export interface LocalHttpbinArgs extends LocalArgs {
  /** httpbin and the server that runs it. */
  packages: PythonPackages;
}

/** The real httpbin, served by waitress: one process, no workers to look after. */
export class LocalHttpbin extends pulumi.ComponentResource {
  readonly process: Process;

  constructor(name: string, args: LocalHttpbinArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:LocalHttpbin", name, {}, opts);
    const { directory, port, packages } = args;

    this.process = new Process(
      name,
      {
        name,
        directory,
        command: [packages.python, "-m", "waitress", `--listen=127.0.0.1:${port}`, "httpbin:app"],
        // Relative to the clone, where it runs: the path of the clone may have a colon, which ends one there.
        env: { PYTHONPATH: packages.path.apply((path) => relative(root, path)) },
        ports: [port],
        portHints: { [port]: `meshup:ports.${name}` },
        ready: { url: `http://127.0.0.1:${port}/status/200` },
      },
      { parent: this },
    );
    this.registerOutputs({ pid: this.process.pid });
  }
}
