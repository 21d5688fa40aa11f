/** The registry of meshes: nobody else imports their folders. */
import { envoyGateway } from "./envoy-gateway/index.ts";
import { istio } from "./istio/index.ts";
import type { MeshKind } from "./kind.ts";
import { standalone } from "./standalone/index.ts";

const kinds: MeshKind[] = [standalone, envoyGateway, istio];

export const meshNames = kinds.map(({ name }) => name);

/** Keys of the stack's configuration, and of a filter's declaration, that one of the meshes knows. */
export const stackKeys: object = Object.assign({}, ...kinds.map(({ schema }) => schema.stack));
export const filterKeys: object = Object.assign({}, ...kinds.map(({ schema }) => schema.filter));

/** @param name one of `meshNames` */
export function meshKind(name: string): MeshKind {
  const kind = kinds.find((one) => one.name === name);
  if (!kind) throw new Error(`there is no mesh ${name}; there are ${meshNames.join(", ")}`);
  return kind;
}
