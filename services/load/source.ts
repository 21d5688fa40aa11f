/** The load of one deployment, in replicas. */
export interface Load {
  /** `namespace/deployment`. */
  service: string;
  /** Replicas there are. */
  currentLoad: number;
  /** Replicas that the autoscaler wants. */
  targetLoad: number;
  /** Replicas that it may at most want. */
  maxLoad: number;
  /** When it was measured; ISO 8601, UTC. */
  observedAt: string;
  /** What the deployment's pods use; only a cluster's metrics tell. */
  cpu?: Cpu | { error: string };
}

export interface Cpu {
  /** Percent of what the pods' own containers request, as the autoscaler counts it; absent where they request nothing. */
  utilization?: number;
  /** The utilization that the autoscaler aims at, where it goes by cpu. */
  targetUtilization?: number;
  /** Thousandths of a core, by pod. */
  pods: Record<string, number>;
}

/** Where load figures come from. */
export interface LoadSource {
  /**
   * The services it knows, as `namespace/deployment`.
   * @throws SourceDown while it cannot tell.
   */
  services(): Promise<string[]>;
  /**
   * The latest figures of a service.
   * @throws SourceDown while there are none; ServiceUnknown.
   */
  load(service: string): Promise<Load>;
  /** Begins to watch. */
  start(): void;
  /** Ends it, and drops what is under way. */
  stop(): void;
}

/** There are no figures now; the message is the reason. */
export class SourceDown extends Error {
  override name = "SourceDown";
}

/** There is no such service, or nothing that scales it; the message says which, and what there is. */
export class ServiceUnknown extends Error {
  override name = "ServiceUnknown";
}

/** As the `x-load-feedback` header has it: one line without an end of line. */
export function formatLoad({ service, currentLoad, targetLoad, maxLoad }: Load): string {
  return `service=${service}, current-load=${currentLoad}, target-load=${targetLoad}, max-load=${maxLoad}`;
}
