import { BufferType, MapType } from "../abi/abi.ts";
import { HeaderMap } from "../abi/headers.ts";
import { lookUp, requestProperties, responseProperties } from "../hostcalls/properties.ts";
import type { Bytes } from "./context.ts";
import type { PluginRoot } from "./root.ts";

/** What of a stream a filter can reach at the moment; its root has the rest. */
export class Reach {
  /** Headers and trailers, by map type. */
  readonly maps = new Map<number, HeaderMap>();
  /** By buffer type. */
  readonly bodies = new Map<number, Bytes>();
  /** Nothing comes after what it has now. */
  atEnd = false;
  readonly #root: PluginRoot;
  readonly #state: Record<string, Uint8Array> = {};

  constructor(root: PluginRoot) {
    this.#root = root;
  }

  /** @param status of the response, once there is one */
  property(path: string[], status: string | undefined): unknown {
    const [top = "", ...rest] = path;
    const given = lookUp(this.#root.config.properties, path);
    if (given !== undefined) return given;
    if (top === "request") return lookUp(requestProperties(this.maps.get(MapType.RequestHeaders), "HTTP/1.1"), rest);
    if (top === "response") {
      const headers = this.maps.get(MapType.ResponseHeaders);
      return lookUp(responseProperties(status ? Number(status) : undefined, headers), rest);
    }
    return this.#state[path.join("\0")] ?? this.#root.property(path);
  }

  setProperty(name: string, value: Uint8Array): void {
    this.#state[name] = value;
  }

  headers(type: number, writable: boolean): HeaderMap | undefined {
    if (type >= MapType.GrpcReceiveInitialMetadata) return this.#root.headers(type);
    return this.maps.get(type) ?? (writable ? this.#newTrailers(type) : undefined);
  }

  /** A filter may add trailers while it has the end of a body that came without any. */
  #newTrailers(type: number): HeaderMap | undefined {
    const isTrailers = type === MapType.RequestTrailers || type === MapType.ResponseTrailers;
    const body = type === MapType.RequestTrailers ? BufferType.HttpRequestBody : BufferType.HttpResponseBody;
    if (!isTrailers || !this.atEnd || !this.bodies.has(body)) return undefined;
    const map = new HeaderMap();
    this.maps.set(type, map);
    return map;
  }

  buffer(type: number): Bytes | undefined {
    if (type > BufferType.HttpResponseBody) return this.#root.buffer(type);
    return this.bodies.get(type) ?? { bytes: new Uint8Array() };
  }
}
