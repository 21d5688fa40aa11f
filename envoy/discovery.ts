import { sha256 } from "../lib/sha256.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A resource of Envoy's xDS: a listener, a cluster, a filter's configuration. */
export type Resource = { "@type": string; name: string } & { [key: string]: Json };

/** A file that Envoy watches. Its version is made from the content: the same configuration is never news. */
export function discoveryResponse(resources: Resource[]): string {
  const version = sha256(JSON.stringify(resources)).slice(0, 16);
  return `${JSON.stringify({ version_info: version, resources }, undefined, 1)}\n`;
}
