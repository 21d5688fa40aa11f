// The project's filter: one module, two root ids. A proxy picks by `root_id`; the configuration is JSON.
//
//   add_header_root     puts the headers that its configuration names on each response (add-header.ts)
//   load_feedback_root  puts a service's load figures, polled on a timer, on each response (load-feedback.ts)

import { AddHeader } from "./add-header";
import { LoadFeedback } from "./load-feedback";
import { register } from "./sdk/dispatch";
import { utf8 } from "./sdk/text";

register(utf8("add_header_root"), (contextId) => new AddHeader(contextId));
register(utf8("load_feedback_root"), (contextId) => new LoadFeedback(contextId));

// A proxy enters a module only at what it exports: a callback that is not in this list costs a request nothing.
export {
  malloc,
  proxy_abi_version_0_2_0,
  proxy_on_configure,
  proxy_on_http_call_response,
  proxy_on_response_headers,
  proxy_on_tick,
} from "./sdk/dispatch";
