/** Writes lines about a resource to the engine's log. Users see them while the work goes on. */
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";
import { getEngine, resetOptions } from "@pulumi/pulumi/runtime/settings.js"; // Pulumi's server has loaded it, too

const { LogRequest, LogSeverity } = engineProto;

/** Finds the engine's address among the provider's arguments. It follows the flags. */
function addressOf(args: string[]): string | undefined {
  return args.find((arg) => /^[^-].*:\d+$/.test(arg));
}

/** Connects when the first line is written. A line that cannot be delivered is not an error. */
export class EngineLog {
  readonly #address: string | undefined;
  #engine: ReturnType<typeof getEngine>;

  /** @param args the arguments that the engine starts the provider with */
  constructor(args: string[]) {
    this.#address = addressOf(args);
  }

  info(urn: string, message: string): void {
    if (this.#address === undefined) return;
    const request = new LogRequest();
    request.setSeverity(LogSeverity.INFO);
    request.setMessage(message);
    request.setUrn(urn);
    this.#connect(this.#address)?.log(request, () => {});
  }

  #connect(address: string): ReturnType<typeof getEngine> {
    if (!this.#engine) {
      resetOptions("", "", 1, address, "", false, "");
      this.#engine = getEngine();
    }
    return this.#engine;
  }
}
