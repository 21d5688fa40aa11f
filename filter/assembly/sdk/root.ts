import { BufferType, LogLevel } from "./abi";
import { Configuration } from "./configuration";
import { Headers } from "./header";
import { Line, scratch } from "./line";
import { log } from "./log";
import { bufferBytes } from "./memory";
import { decoded } from "./strings";
import { textIn, utf8 } from "./text";

/**
 * A filter with one configuration, in one VM: the root context of proxy-wasm.
 *
 * The streams of a root have no object of their own, which keeps a request free of allocation: a callback for a stream
 * comes to its root, with the stream as the current context of the host's calls.
 */
export abstract class FilterRoot {
  /** What goes on each response, in place of headers of the same names. */
  responseHeaders: Headers = new Headers();

  /** As registered. */
  root: ArrayBuffer | null = null;
  /** The proxy's name for the filter. */
  plugin: ArrayBuffer | null = null;
  /** The root that was made before it. */
  older: FilterRoot | null = null;

  constructor(readonly contextId: u32) {}

  /**
   * Takes the configuration over. What is wrong with it is reported to `configuration`; then the root is refused and the
   * proxy told so.
   */
  abstract configure(configuration: Configuration): void;

  onRequestHeaders(): void {}

  onResponseHeaders(): void {
    this.responseHeaders.putOnResponse();
  }

  onTick(): void {}
  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {}

  onConfigure(size: u32): bool {
    const configuration = new Configuration(bufferBytes(BufferType.PluginConfiguration, size));
    if (configuration.isReadable()) this.configure(configuration);
    if (configuration.isValid()) return true;
    log(LogLevel.Error, this.line().add(utf8("configuration refused: %"), configuration.allProblems()));
    return false;
  }

  /** A log line of this root, begun with its id. */
  line(): Line {
    return scratch.clear().add(utf8("%: "), textIn(this.root));
  }

  get rootId(): string {
    return decoded(textIn(this.root));
  }
}
