import { MetricType, Status } from "../abi/abi.ts";

/** A metric that the module defined. A histogram keeps every recorded value. */
export type Metric = { type: "counter" | "gauge"; value: bigint } | { type: "histogram"; values: bigint[] };

/** Metrics by name; ids carry the type in their last two bits, as Envoy's do. */
export class Metrics {
  readonly byName = new Map<string, Metric>();
  #byId = new Map<number, Metric>();
  #nextId: number[] = [MetricType.Counter, MetricType.Gauge, MetricType.Histogram];

  define(type: number, name: string): number | undefined {
    if (type > MetricType.Histogram) return undefined;
    const kind = (["counter", "gauge", "histogram"] as const)[type] as Metric["type"];
    const key = this.#keyFor(kind, name);
    let metric = this.byName.get(key);
    if (!metric) {
      metric = kind === "histogram" ? { type: kind, values: [] } : { type: kind, value: 0n };
      this.byName.set(key, metric);
    }
    const id = (this.#nextId[type] as number) + 4;
    this.#nextId[type] = id;
    this.#byId.set(id, metric);
    return id;
  }

  increment(id: number, offset: bigint): Status {
    if ((id & 3) > MetricType.Gauge) return Status.BadArgument;
    const metric = this.#byId.get(id);
    if (!metric || metric.type === "histogram") return Status.NotFound;
    if (metric.type === "counter" && offset <= 0n) return Status.BadArgument;
    metric.value = BigInt.asUintN(64, metric.value + offset);
    return Status.Ok;
  }

  record(id: number, value: bigint): Status {
    const metric = this.#byId.get(id);
    if (!metric) return Status.NotFound;
    const unsigned = BigInt.asUintN(64, value);
    if (metric.type === "histogram") metric.values.push(unsigned);
    else metric.value = metric.type === "counter" ? BigInt.asUintN(64, metric.value + unsigned) : unsigned;
    return Status.Ok;
  }

  get(id: number): bigint | Status {
    if ((id & 3) > MetricType.Gauge) return Status.BadArgument;
    const metric = this.#byId.get(id);
    return metric && metric.type !== "histogram" ? metric.value : Status.NotFound;
  }

  /** A name defined with a second type is a second metric, as in Envoy's scope. */
  #keyFor(type: Metric["type"], name: string): string {
    const existing = this.byName.get(name);
    return existing && existing.type !== type ? `${name} (${type})` : name;
  }
}
