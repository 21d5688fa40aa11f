/** Objects of any kind: where the API server has them, and which of them there are. */
import type { KubeApi, KubeObject } from "./api.ts";

/** An object as a manifest names it. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  /** Of a namespaced kind, default: `default`. Of others it is not looked at. */
  namespace?: string;
  name: string;
}

/** `EnvoyExtensionPolicy default/route-one` */
export function nameOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** A kind in one version of an API group. */
interface Kind {
  /** The name in paths: `gateways`. */
  plural: string;
  namespaced: boolean;
}

/** Finds objects through metadata lists. Each list is requested once. */
export class ObjectLists {
  readonly #api: KubeApi;
  readonly #lists = new Map<string, Promise<Map<string, KubeObject>>>();
  readonly #kinds = new Map<string, Promise<Map<string, Kind>>>();

  constructor(api: KubeApi) {
    this.#api = api;
  }

  /** The metadata of an object; undefined if it does not exist, or if its kind is unknown. */
  async find(ref: ObjectRef): Promise<KubeObject | undefined> {
    return (await this.all(ref)).find(({ metadata }) => metadata.name === ref.name);
  }

  /** All objects of a kind; in one namespace if the kind is namespaced. */
  async all(ref: Omit<ObjectRef, "name">): Promise<KubeObject[]> {
    const path = await this.#listPath(ref);
    if (path === undefined) return [];
    const list = this.#lists.get(path) ?? this.#list(path);
    this.#lists.set(path, list);
    return [...(await list).values()];
  }

  /** The path of an object on the API server; undefined if the kind is unknown. */
  async pathOf(ref: ObjectRef): Promise<string | undefined> {
    const list = await this.#listPath(ref);
    return list && `${list}/${ref.name}`;
  }

  async #list(path: string): Promise<Map<string, KubeObject>> {
    const objects = (await this.#api.listMetadata(path)) ?? [];
    return new Map(objects.map((object) => [object.metadata.name, object]));
  }

  async #listPath({ apiVersion, kind, namespace = "default" }: Omit<ObjectRef, "name">): Promise<string | undefined> {
    const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const kinds = this.#kinds.get(group) ?? this.#discover(group);
    this.#kinds.set(group, kinds);
    const found = (await kinds).get(kind);
    return found && `${group}/${found.namespaced ? `namespaces/${namespace}/` : ""}${found.plural}`;
  }

  async #discover(group: string): Promise<Map<string, Kind>> {
    type Discovered = { resources?: { kind: string; name: string; namespaced: boolean }[] };
    const { resources = [] } = (await this.#api.get<Discovered>(group)) ?? {};
    const whole = resources.filter(({ name }) => !name.includes("/")); // the others are parts of objects
    return new Map(whole.map(({ kind, name, namespaced }) => [kind, { plural: name, namespaced }]));
  }
}
