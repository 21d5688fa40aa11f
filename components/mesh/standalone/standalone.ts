import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";

import { logArguments } from "../../../envoy/log.ts";
import { stackDir } from "../../../lib/paths.ts";
import { asLongAsItLives } from "../../../process/control.ts";
import { maxLogBytes } from "../../../process/log.ts";
import { EnvoyBinary, EnvoyConfiguration, Process, Proof } from "../../../provider/resources.ts";
import type { Filter } from "../../filter/filter.ts";
import type { Backend } from "../../workloads/backend.ts";
import { systemAuthorities } from "../../workloads/reach.ts";
import type { AttachedFilterFields, Mesh, MeshArgs, Served } from "../mesh.ts";
import { type Request, requestFor, routeUrls } from "../targets.ts";
import { wasmFilter } from "../wasm-filter.ts";
import { cluster, listener, startFiles } from "./envoy.ts";

const envoyVersion = "1.40.0";

/** One Envoy as a process of this machine, on loopback, in front of workloads that are processes, too. */
export class StandaloneMesh extends pulumi.ComponentResource implements Mesh {
  readonly serve: (workloads: pulumi.Resource[]) => Served;

  constructor(name: string, args: MeshArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:mesh:Standalone", name, {}, opts);
    const parent = this;
    const { config, filters, routes, backends } = args;
    const directory = stackDir(pulumi.getStack());
    const xds = join(directory, "envoy");
    const url = `http://localhost:${config.ports.gateway}`;
    const authorities = backends.some(isTrusted) ? systemAuthorities() : undefined;

    const envoy = createEnvoy();
    this.serve = (workloads) => {
      const configuration = configureEnvoy(workloads);
      const gatewayUrl = configuration.id.apply(() => url);
      return {
        gatewayUrl,
        routes: gatewayUrl.apply(() => routeUrls(url, routes)),
        filters: filters.map((filter) => prove(filter, configuration)),
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
          ready: { url: `http://127.0.0.1:${admin}/ready` },
          readyTimeoutMs: asLongAsItLives, // it may be busy with a module when an `up` comes back to it
          maxFileBytes: maxLogBytes,
        },
        { parent },
      );
    }

    function configureEnvoy(workloads: pulumi.Resource[]): EnvoyConfiguration {
      return new EnvoyConfiguration(
        "envoy",
        {
          directory: xds,
          admin: `http://127.0.0.1:${config.ports.admin}`,
          log: envoy.log,
          process: pulumi.interpolate`${envoy.pid}@${envoy.startTime}`,
          clusters: backends.map((backend) => cluster(backend, authorities)),
          listeners: [
            listener({
              directory: xds,
              port: config.ports.gateway,
              routes,
              filters: filters.map((f) => ({ name: f.declaration.name, target: f.declaration.target })),
            }),
          ],
          filters: Object.fromEntries(filters.map((filter) => [filter.declaration.name, xdsFilter(filter)])),
        },
        { parent, dependsOn: workloads },
      );
    }

    function prove(filter: Filter, configuration: EnvoyConfiguration): AttachedFilterFields {
      const { name, target } = filter.declaration;
      // Configuration lets no target through that no route leads to.
      const { url: address, headers } = requestFor(target, url, routes) as Request;
      const proof = new Proof(
        name,
        {
          filter: name,
          url: address,
          headers,
          expect: filter.expect,
          digest: filter.digest,
          process: pulumi.interpolate`${envoy.pid}@${envoy.startTime}`,
        },
        { parent, dependsOn: [configuration] },
      );
      return {
        name,
        digest: filter.digest,
        delivery: "file" as const,
        url: proof.url,
        headers,
        expect: filter.expect,
      };
    }
  }
}

/** A filter as Envoy is given it, beside its digest. */
function xdsFilter(filter: Filter) {
  const { name, root: rootId, failure } = filter.declaration;
  const { configuration } = filter;
  const resource = pulumi
    .all([filter.digest, filter.file])
    .apply(([digest, file]) => wasmFilter({ name, rootId, digest, file, configuration, failure }));
  return { digest: filter.digest, resource };
}

/** By the authorities that the system trusts. */
function isTrusted({ at }: Backend): boolean {
  return at.type === "url" && at.tls !== undefined && at.tls.authorities === undefined;
}
