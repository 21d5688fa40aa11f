import { LogLevel } from "./sdk/abi";
import { Configuration } from "./sdk/configuration";
import { log } from "./sdk/log";
import { FilterRoot } from "./sdk/root";
import { utf8 } from "./sdk/text";

/**
 * `add_header_root`: puts each header of its configuration on each response, in place of one that is there.
 *
 * Configuration: `{"NAME": "VALUE", …}`, or none, which puts no header.
 */
export class AddHeader extends FilterRoot {
  configure(configuration: Configuration): void {
    const headers = configuration.headers();
    if (!configuration.isValid()) return;
    this.responseHeaders = headers;
    log(LogLevel.Info, this.line().add(headers.count == 1 ? utf8("# header") : utf8("# headers"), headers.count));
  }
}
