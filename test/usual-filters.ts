import { compileSource, type TestModule } from "./modules.ts";

/** Small filters of the kinds that people write: each does one thing, and shows it in a way of its own. */
export const usualFilters = {
  "request-id": `
    onRequest = (): bool => { saved = get(REQUEST, "x-request-id"); return true; };
    onResponse = (): void => set(RESPONSE, "x-request-id", saved);`,
  counter: `
    onResponse = (): void => { count++; set(RESPONSE, "x-count", count.toString()); set(RESPONSE, "x-fixed", "1"); };`,
  "time-stamp": `
    onResponse = (): void => set(RESPONSE, "x-day", (now() / 86400000000000).toString());`,
  "now-and-then": `
    onResponse = (): void => { if (++count % 2) set(RESPONSE, "x-odd", "1"); };`,
  "api-key": `
    onRequest = (): bool => {
      if (get(REQUEST, "x-api-key") == "open") return true;
      answer(401, "no key");
      return false;
    };`,
  "request-header": `
    onRequest = (): bool => { set(REQUEST, "x-user", "alice"); return true; };`,
  "path-rewrite": `
    onRequest = (): bool => { set(REQUEST, ":path", "/anything"); return true; };`,
  "body-rewrite": `
    onResponse = (): void => remove(RESPONSE, "content-length");
    onBody = (size: u32): void => setBody(size, "rewritten");`,
  "body-rewrite-in-pieces": `
    onBody = (size: u32): void => setBody(size, "rewritten");`,
  redirect: `
    onResponse = (): void => { set(RESPONSE, ":status", "302"); set(RESPONSE, "location", "https://example.com/"); };`,
  "header-remover": `
    onResponse = (): void => remove(RESPONSE, "content-type");`,
  "content-length": `
    onResponse = (): void => set(RESPONSE, "content-length", "5");`,
  "echo-of-request": `
    onRequest = (): bool => {
      saved = get(REQUEST, ":method") + " " + get(REQUEST, ":path") + " " + get(REQUEST, "x-mine");
      return true;
    };
    onResponse = (): void => set(RESPONSE, "x-saw", saved);`,
  greeting: `
    onResponse = (): void => set(RESPONSE, "x-greeting", "Grüße");`,
  nothing: "",
} as const;

export type UsualFilter = keyof typeof usualFilters;

export function compileUsual(directory: string, name: UsualFilter): Promise<TestModule> {
  return compileSource(directory, prelude + usualFilters[name]);
}

const prelude = `
@external("env", "proxy_replace_header_map_value")
declare function replaceHeader(map: i32, name: usize, nameSize: i32, value: usize, valueSize: i32): u32;
@external("env", "proxy_remove_header_map_value")
declare function removeHeader(map: i32, name: usize, nameSize: i32): u32;
@external("env", "proxy_get_header_map_value")
declare function getHeader(map: i32, name: usize, nameSize: i32, valueAt: usize, sizeAt: usize): u32;
@external("env", "proxy_set_buffer_bytes")
declare function setBuffer(type: i32, start: i32, length: i32, data: usize, size: i32): u32;
@external("env", "proxy_send_local_response")
declare function sendLocal(status: i32, details: usize, detailsSize: i32, body: usize, bodySize: i32, headers: usize, headersSize: i32, grpc: i32): u32;
@external("env", "proxy_get_current_time_nanoseconds")
declare function currentTime(at: usize): u32;

const REQUEST = 0;
const RESPONSE = 2;
const place = memory.data(16);
let count = 0;
let saved = "";
let onRequest: (() => bool) | null = null;
let onResponse: (() => void) | null = null;
let onBody: ((size: u32) => void) | null = null;

function utf8(text: string): ArrayBuffer { return String.UTF8.encode(text); }
function at(buffer: ArrayBuffer): usize { return changetype<usize>(buffer); }
function set(map: i32, name: string, value: string): void {
  const n = utf8(name), v = utf8(value);
  replaceHeader(map, at(n), n.byteLength, at(v), v.byteLength);
}
function remove(map: i32, name: string): void { const n = utf8(name); removeHeader(map, at(n), n.byteLength); }
function get(map: i32, name: string): string {
  const n = utf8(name);
  store<u64>(place, 0);
  getHeader(map, at(n), n.byteLength, place, place + 4);
  return String.UTF8.decodeUnsafe(load<u32>(place), load<u32>(place, 4));
}
function now(): u64 { currentTime(place); return load<u64>(place); }
function answer(status: i32, body: string): void {
  const b = utf8(body);
  sendLocal(status, 0, 0, at(b), b.byteLength, 0, 0, -1);
}
function setBody(size: u32, text: string): void {
  const b = utf8(text);
  if (size > 0) setBuffer(1, 0, size, at(b), b.byteLength);
}
export function proxy_abi_version_0_2_0(): void {}
export function malloc(size: usize): usize { return heap.alloc(size); }
export function proxy_on_context_create(context: u32, root: u32): void {}
export function proxy_on_request_headers(context: u32, headers: u32, end: u32): u32 {
  const act = onRequest;
  return act === null || act() ? 0 : 1;
}
export function proxy_on_response_headers(context: u32, headers: u32, end: u32): u32 {
  const act = onResponse;
  if (act !== null) act();
  return 0;
}
/** Waits for the whole body, and acts on it once. */
export function proxy_on_response_body(context: u32, size: u32, end: u32): u32 {
  const act = onBody;
  if (act === null) return 0;
  if (!end) return 1;
  act(size);
  return 0;
}
`;
