import { BufferTypeValues, get_buffer_bytes, RootContext } from "@solo-io/proxy-runtime/assembly/runtime";
import { Configuration } from "./configuration";
import { error } from "./log";

/**
 * A filter with one configuration, in one VM: the root context of proxy-wasm.
 *
 * The streams of a root have no object of their own, which keeps a request free of allocation: a callback for a stream
 * comes to its root, with the stream as the current context of the host's calls.
 */
export abstract class FilterRoot extends RootContext {
  /** As registered; log lines begin with it. */
  rootId: string = "";

  constructor(contextId: u32) {
    super(contextId);
  }

  /**
   * Takes the configuration over. What is wrong with it is reported to `configuration`; then the root is refused and the
   * proxy told so.
   */
  abstract configure(configuration: Configuration): void;

  onRequestHeaders(): void {}
  onResponseHeaders(): void {}
  onTick(): void {}
  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {}

  // The SDK's own gives the host the configuration's size where the host writes the length, and traps without one.
  onConfigure(size: u32): bool {
    const bytes = get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, size);
    const configuration = Configuration.parse(bytes);
    if (configuration.isReadable()) this.configure(configuration);
    if (configuration.isValid()) return true;
    error(`${this.rootId}: configuration refused: ${configuration.problems.join("; ")}`);
    return false;
  }
}
