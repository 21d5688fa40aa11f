import { readFileSync } from "node:fs";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../../lib/errors.ts";
import { Bundle } from "../../../provider/resources.ts";
import { bundleHash } from "../../../toolchain/bundle.ts";
import { labels, type PodArgs } from "./pod.ts";

export type ServiceName = "echo" | "bursting-metrics" | "modules";

export interface ServiceCodeArgs {
  namespace: string;
  /** What runs it, with Node in it: `docker.io/library/node:22-slim`. */
  image: string;
}

/** What a pod needs to run one of the project's own services. */
export type Program = Required<Pick<PodArgs, "image" | "command" | "mounts">>;

/** The image that the project's own services run in, as it comes: nothing of theirs is built into one. */
export const nodejsImage = "docker.io/library/node:22-slim";

/** Of all that is in a ConfigMap, as the API server has it, with some room for its other fields. */
export const mostBytes = 1_000_000;

const directory = "/srv";

/**
 * One of the project's own services (`services/NAME.ts`): its bundle, in a ConfigMap. A changed
 * service is another ConfigMap, so that pods which started with one never read the other.
 */
export class ServiceCode extends pulumi.ComponentResource {
  readonly program: Program;

  constructor(name: ServiceName, args: ServiceCodeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:ServiceCode", name, {}, opts);
    const parent = this;
    const { namespace, image } = args;
    const file = `${name}.mjs`;

    const bundle = createBundle();
    const map = createConfigMap();
    this.program = {
      image,
      command: ["node", `${directory}/${file}`],
      mounts: [{ path: directory, volume: { name: "code", configMap: { name: map.metadata.name } } }],
    };
    this.registerOutputs({ sha256: bundle.sha256 });

    function createBundle(): Bundle {
      const entry = `services/${name}.ts`;
      return new Bundle(name, { entry, sourceHash: bundleHash(entry) }, { parent });
    }

    function createConfigMap(): kubernetes.core.v1.ConfigMap {
      const metadata = { namespace, labels: labels(name) };
      const data = { [file]: bundle.file.apply((path) => codeText(name, readFileSync(path, "utf8"))) };
      return new kubernetes.core.v1.ConfigMap(name, { metadata, immutable: true, data }, { parent });
    }
  }
}

/** @throws UserError when it is too large for a ConfigMap */
export function codeText(name: string, text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes)
    throw new UserError(
      `the bundle of services/${name}.ts has ${bytes} bytes, and a ConfigMap takes ${mostBytes}: it imports too much`,
    );
  return text;
}
