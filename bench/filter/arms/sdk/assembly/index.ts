// The README of @solo-io/proxy-runtime 0.1.8, "Hello, World", with these changes:
//   imports                 from …/assembly: the package has no /proxy, and its main file is not where the compiler looks
//   onConfigure             the SDK's own traps: it gives the host the configuration's size where the length goes
//   replace, in place of add, and the header's name: what the other arms do
export * from "@solo-io/proxy-runtime/assembly/proxy"; // this exports the required functions for the proxy to interact with us.

import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime/assembly";
import { BufferTypeValues, get_buffer_bytes } from "@solo-io/proxy-runtime/assembly/runtime";

class AddHeaderRoot extends RootContext {
  private value: string = "";

  createContext(context_id: u32): Context {
    return new AddHeader(context_id, this);
  }
  onConfigure(size: u32): bool {
    this.value = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, size));
    return true;
  }
  getConfiguration(): string {
    return this.value;
  }
}

class AddHeader extends Context {
  constructor(context_id: u32, root_context: AddHeaderRoot) {
    super(context_id, root_context);
  }
  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const root_context = this.root_context;
    if (root_context.getConfiguration() == "") {
      stream_context.headers.response.replace("x-bench", "world!");
    } else {
      stream_context.headers.response.replace("x-bench", root_context.getConfiguration());
    }
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => {
  return new AddHeaderRoot(context_id);
}, "add_header");
