/** The request that shows a filter, as a person declares it: `request` in `meshup:filters`. */
export interface DeclaredRequest {
  /** Default: GET, or POST where there is a body. */
  method?: string;
  /** Relative to the route's own path: `/get?x=1` on the route `/one` is `/one/get?x=1`. Default: the route's path itself. */
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** With nothing left open. */
export interface ProofRequest {
  method: string;
  /** As declared. */
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** What asks. A filter may look at it, in the host in Node as in a proxy. */
const userAgent = { "user-agent": "meshup" };

export function proofRequest({ method, path = "", headers = {}, body }: DeclaredRequest = {}): ProofRequest {
  return {
    method: method ?? (body === undefined ? "GET" : "POST"),
    path,
    headers: lowerCase(headers),
    ...(body !== undefined && { body }),
  };
}

/** With the headers that are sent besides. */
export function sentHeaders(headers: Record<string, string> = {}): Record<string, string> {
  return { ...userAgent, ...lowerCase(headers) };
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
