import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { stateDir } from "../../lib/paths.ts";
import { type Process, PythonPackages } from "../../provider/resources.ts";

import type { StackConfig } from "../config/config.ts";
import type { DemoName } from "./demo.ts";
import { LocalHttpbin } from "./httpbin.ts";
import { LocalService } from "./service.ts";
import type { Workloads } from "./workloads.ts";

export interface LocalWorkloadsArgs {
  /** The stack's folder: records and logs. */
  directory: string;
  config: Pick<StackConfig, "ports" | "load">;
}

/** The workloads as processes of this machine: two httpbins, echo, and bursting-metrics, which watches echo. */
export class LocalWorkloads extends pulumi.ComponentResource implements Workloads {
  readonly resources: Process[];
  readonly logs: Record<DemoName, pulumi.Output<string>>;

  constructor(name: string, args: LocalWorkloadsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:Local", name, {}, opts);
    const parent = this;
    const { directory, config } = args;
    const { ports, load } = config;

    const packages = createPackages();
    const processes = {
      httpbin: createHttpbin("httpbin"),
      "httpbin-two": createHttpbin("httpbin-two"),
      echo: new LocalService("echo", { directory, port: ports.echo }, { parent }).process,
      "bursting-metrics": createBurstingMetrics(),
    };

    this.resources = Object.values(processes);
    this.logs = {
      httpbin: processes.httpbin.log,
      "httpbin-two": processes["httpbin-two"].log,
      echo: processes.echo.log,
      "bursting-metrics": processes["bursting-metrics"].log,
    };
    this.registerOutputs({});

    function createPackages(): PythonPackages {
      const requirements = "services/httpbin/requirements.txt";
      const directory = join(stateDir, "python");
      return new PythonPackages("httpbin", { requirements, directory, imports: ["httpbin", "waitress"] }, { parent });
    }

    function createHttpbin(name: "httpbin" | "httpbin-two"): Process {
      return new LocalHttpbin(name, { directory, port: ports[name], packages }, { parent }).process;
    }

    function createBurstingMetrics(): Process {
      const services = [{ service: "default/echo", url: `http://127.0.0.1:${ports.echo}/metrics`, ...load }];
      const env = { LOAD_SERVICES: JSON.stringify(services) };
      return new LocalService("bursting-metrics", { directory, port: ports["bursting-metrics"], env }, { parent })
        .process;
    }
  }
}
