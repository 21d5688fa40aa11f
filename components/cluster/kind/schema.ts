import { z } from "zod";
import { name } from "../../config/names.ts";
import { port } from "../../config/port.ts";

const settings = z.strictObject({
  /** Default: meshup-STACK. */
  name: name.optional(),
  /** This machine's port for the gateway, and the node port behind it. */
  gatewayPort: z.number().int().min(30000).max(32767).default(30000),
  /** This machine's port for the registry. */
  registryPort: port.default(5001),
  /** The registry's name on kind's network, for all that pulls from it; each stack on one machine needs one of its own. */
  registryHost: z
    .string()
    .regex(
      /^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.localhost$/,
      'a name such as "registry.localhost": plain HTTP needs .localhost',
    )
    .default("registry.localhost"),
});

export const stackKeys = z.object({ kind: settings.prefault({}) });
export type KindSettings = z.infer<typeof settings>;

/** What only this kind of cluster reads of a stack's configuration, once that has been checked. */
export function settingsOf(config: object): KindSettings {
  return stackKeys.parse(config).kind;
}

/** The same of a configuration as it is written: what is wrong with it is the program's to say, and not looked at here. */
export function writtenSettings(config: object): KindSettings {
  const { data = stackKeys.parse({}) } = stackKeys.safeParse(config);
  return data.kind;
}

export const clusterName = ({ name }: KindSettings, stack: string) => name ?? `meshup-${stack}`;
