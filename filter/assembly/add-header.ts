import { Configuration } from "./sdk/configuration";
import { Header } from "./sdk/header";
import { info } from "./sdk/log";
import { FilterRoot } from "./sdk/root";

/**
 * `add_header_root`: puts each header of its configuration on each response, in place of one that is there.
 *
 * Configuration: `{"NAME": "VALUE", …}`, or none, which puts no header.
 */
export class AddHeader extends FilterRoot {
  private headers: Header[] = [];

  configure(configuration: Configuration): void {
    const names = configuration.names();
    const headers: Header[] = [];
    for (let i = 0; i < names.length; i++) headers.push(configuration.header(names[i]));
    this.headers = headers;
    if (configuration.isValid()) {
      info(`${this.rootId}: ${headers.length} ${headers.length == 1 ? "header" : "headers"}`);
    }
  }

  onResponseHeaders(): void {
    const headers = this.headers;
    for (let i = 0, count = headers.length; i < count; i++) unchecked(headers[i]).putOnResponse();
  }
}
