import { type HttpResponse, httpRequest } from "../lib/http.ts";

/** Envoy's admin interface: https://www.envoyproxy.io/docs/envoy/latest/operations/admin */
export class EnvoyAdmin {
  readonly address: string;
  readonly #ask: (url: string) => Promise<HttpResponse>;

  /**
   * @param address of the admin interface, such as `http://127.0.0.1:9901`
   * @param ask sends a GET; default: it has ten seconds
   */
  constructor(address: string, ask: (url: string) => Promise<HttpResponse> = (url) => httpRequest({ url })) {
    this.address = address;
    this.#ask = ask;
  }

  /** Counters and gauges whose names match, by name. */
  async stats(filter: RegExp): Promise<Map<string, number>> {
    const query = new URLSearchParams({ format: "json", filter: filter.source });
    const { stats } = (await this.#get(`/stats?${query}`)) as { stats: { name?: string; value?: unknown }[] };
    return new Map(stats.flatMap((s) => (s.name && typeof s.value === "number" ? [[s.name, s.value] as const] : [])));
  }

  /** The parts of /config_dump under `resource`, such as `ecds_filters` or `dynamic_listeners`. */
  async configDump(resource: string): Promise<Record<string, unknown>[]> {
    const dump = await this.#get(`/config_dump?resource=${resource}`);
    return (dump as { configs?: Record<string, unknown>[] } | undefined)?.configs ?? [];
  }

  /** The ports that it listens on, by the listener's name: also those that it has picked itself. */
  async listenerPorts(): Promise<Map<string, number>> {
    const { listener_statuses: listeners = [] } = (await this.#get("/listeners?format=json")) as ListenersAnswer;
    return new Map(listeners.map(({ name, local_address }) => [name, local_address.socket_address.port_value]));
  }

  /** Undefined for 404: Envoy has no such thing yet. */
  async #get(path: string): Promise<unknown> {
    const { status, body } = await this.#ask(this.address + path);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`Envoy's admin interface answered ${status} to ${path}: ${body}`);
    return JSON.parse(body);
  }
}

interface ListenersAnswer {
  listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
}
