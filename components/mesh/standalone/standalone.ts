import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";

import type { Resource } from "../../../envoy/discovery.ts";
import { logArguments } from "../../../envoy/log.ts";
import { stackDir } from "../../../lib/paths.ts";
import { asLongAsItLives } from "../../../process/control.ts";
import { maxLogBytes } from "../../../process/log.ts";
import { EnvoyBinary, EnvoyConfiguration, Process } from "../../../provider/resources.ts";
import { deliveredBy, type ModuleFilter } from "../../filter/filter.ts";
import type { Backend } from "../../workloads/backend.ts";
import { systemAuthorities } from "../../workloads/reach.ts";
import type { Mesh, MeshArgs, Served } from "../mesh.ts";
import { proveShown, type Shown, show } from "../shown.ts";
import { routeUrls } from "../targets.ts";
import { wasmFilter } from "../wasm-filter.ts";
import { cluster, type ListedFilter, listener, startFiles } from "./envoy.ts";

const envoyVersion = "1.40.0";

/** One Envoy as a process of this machine, on loopback, in front of workloads that are processes, too. */
export class StandaloneMesh extends pulumi.ComponentResource implements Mesh {
  readonly serve: (workloads: pulumi.Resource[]) => Served;

  constructor(name: string, args: MeshArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:mesh:Standalone", name, {}, opts);
    const parent = this;
    const { config, routes, backends } = args;
    const filters = deliveredBy(args.filters, "file");
    const directory = stackDir(pulumi.getStack());
    const xds = join(directory, "envoy");
    const url = `http://localhost:${config.ports.gateway}`;
    const adminUrl = `http://127.0.0.1:${config.ports.admin}`;
    const authorities = backends.some(isTrusted) ? systemAuthorities() : undefined;

    const envoy = createEnvoy();
    this.serve = (workloads) => {
      const opts = { parent, dependsOn: workloads };
      // One object has all of them: one that nothing would show holds no other up.
      const shown = filters.map((filter) => show(filter, xdsFilter(filter), { url, routes, otherwise: "keep" }, opts));
      const configuration = configureEnvoy(shown, workloads);
      const process = pulumi.interpolate`${envoy.pid}@${envoy.startTime}`;
      const gatewayUrl = configuration.id.apply(() => url);
      return {
        gatewayUrl,
        routes: gatewayUrl.apply(() => routeUrls(url, routes)),
        filters: shown.map((one) => proveShown(one, { process }, { parent, dependsOn: [configuration] })),
        proxies: { admin: adminUrl },
        logs: envoy.log.apply((log): Record<string, string> => ({ envoy: log })),
      };
    };
    this.registerOutputs({});

    function createEnvoy(): Process {
      const binary = new EnvoyBinary("envoy", { version: envoyVersion }, { parent });
      const { gateway, admin } = config.ports;
      const levels = Object.entries(config.logLevels).map(([component, level]) => `${component}:${level}`);
      return new Process(
        "envoy",
        {
          name: "envoy",
          directory,
          command: [
            binary.path,
            ...["--config-path", join(xds, "bootstrap.json")],
            ...["--concurrency", String(config.concurrency)],
            ...["--component-log-level", levels.join(",")],
            // A changed listener closes its old connections after the request that they are at.
            ...["--drain-strategy", "immediate", "--drain-time-s", "30"],
            "--disable-hot-restart", // it would claim shared memory that other Envoys on this machine use
            ...logArguments,
          ],
          files: startFiles({ directory: xds, adminPort: admin }),
          ports: [gateway, admin],
          portHints: { [gateway]: "meshup:ports.gateway", [admin]: "meshup:ports.admin" },
          ready: { url: `${adminUrl}/ready` },
          readyTimeoutMs: asLongAsItLives, // it may be busy with a module when an `up` comes back to it
          maxFileBytes: maxLogBytes,
        },
        { parent },
      );
    }

    function configureEnvoy(shown: Shown<XdsFilter>[], workloads: pulumi.Resource[]): EnvoyConfiguration {
      const attached = pulumi.all(shown.map((one) => one.attached)).apply((all) => all.filter((one) => one !== null));
      const port = config.ports.gateway;
      return new EnvoyConfiguration(
        "envoy",
        {
          directory: xds,
          admin: adminUrl,
          log: envoy.log,
          process: pulumi.interpolate`${envoy.pid}@${envoy.startTime}`,
          clusters: backends.map((backend) => cluster(backend, authorities)),
          listeners: [attached.apply((filters) => listener({ directory: xds, port, routes, filters }))],
          filters: attached.apply((all) =>
            Object.fromEntries(all.map(({ name, digest, resource }) => [name, { digest, resource }])),
          ),
        },
        { parent, dependsOn: workloads },
      );
    }
  }
}

/** A filter as Envoy is given it, and where it works. */
interface XdsFilter extends ListedFilter {
  digest: string;
  resource: Resource;
}

function xdsFilter({ declaration, rootId, module, ...filter }: ModuleFilter): pulumi.Output<XdsFilter> {
  const { name, failure, target } = declaration;
  const configuration = filter.configuration?.text;
  return pulumi.all([module.digest, module.file]).apply(([digest, file]) => ({
    name,
    target,
    digest,
    resource: wasmFilter({ name, rootId, digest, file, configuration, failure }),
  }));
}

/** By the authorities that the system trusts. */
function isTrusted({ at }: Backend): boolean {
  return at.type === "url" && at.tls !== undefined && at.tls.authorities === undefined;
}
