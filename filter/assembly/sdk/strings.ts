// What texts are in UTF-8, in AssemblyScript's strings: for filters that rather have these. What of it a filter does not
// use is not in its module.

import { LogLevel } from "./abi";
import { register as registerText } from "./dispatch";
import {
  Headers,
  lowerCase as lowerCaseOf,
  nameProblem as problemOfName,
  valueProblem as problemOfValue,
} from "./header";
import { answerBody, answerStatus, HttpCall } from "./http-call";
import { problem, problemOffset, readObject } from "./json";
import { Line } from "./line";
import { log } from "./log";
import { FilterRoot } from "./root";
import { SharedEntry } from "./shared-data";
import { copyOf, NONE, sizeOf, Text, textIn, utf8 } from "./text";

/** A string as a text in a buffer of its own. */
export function encoded(text: string): ArrayBuffer {
  const bytes = String.UTF8.encode(text);
  const line = new Line();
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = load<u8>(changetype<usize>(bytes) + i);
    line.addByte(byte == 0 ? 0xc0 : byte);
    if (byte == 0) line.addByte(0x80);
  }
  return copyOf(line.text());
}

export function decoded(text: Text): string {
  return String.UTF8.decodeUnsafe(text, sizeOf(text));
}

/** Makes a root id known: a proxy that names it gets what `create` makes. */
export function registerRoot(rootId: string, create: (contextId: u32) => FilterRoot): void {
  registerText(__pin(changetype<usize>(encoded(rootId))), create); // for good
}

/** A header, encoded once: see `Headers`. */
export class Header extends Headers {
  constructor(name: string, value: string) {
    super();
    const nameBytes = encoded(name);
    const valueBytes = encoded(value);
    this.add(lowerCaseOf(textIn(nameBytes)), textIn(valueBytes));
  }
}

/** A GET request that goes out again and again: see `HttpCall`. */
export class HttpGet {
  private call: HttpCall;

  constructor(cluster: string, authority: string, path: string, timeoutMs: u32) {
    const clusterBytes = encoded(cluster);
    const authorityBytes = encoded(authority);
    const pathBytes = encoded(path);
    this.call = new HttpCall(textIn(clusterBytes), textIn(authorityBytes), textIn(pathBytes), timeoutMs);
  }

  isUnderWay(): bool {
    return this.call.isUnderWay();
  }

  /** False when the proxy does not take the call, which it does not for a cluster that it has not. */
  send(): bool {
    return this.call.send();
  }

  /** Within `onHttpCallResponse`: the answer, or null when it is not the answer to this call. */
  response(token: u32, headers: u32, bodySize: u32): HttpAnswer | null {
    if (!this.call.isAnsweredBy(token)) return null;
    const status = answerStatus();
    const body = answerBody(bodySize);
    const text = String.UTF8.decodeUnsafe(changetype<usize>(body), body.byteLength - 1);
    return new HttpAnswer(decoded(textIn(status)), text);
  }
}

export class HttpAnswer {
  constructor(
    /** "200", or "" when there was no answer in time. */
    readonly status: string,
    readonly body: string,
  ) {}
}

/** One entry of the data that all VMs of a `vm_id` share: see `SharedEntry`. */
export class SharedData extends SharedEntry {
  constructor(key: string) {
    super(encoded(key));
  }

  /** The entry as it is now, or null while there is none. */
  read(): ArrayBuffer | null {
    const bytes = this.get();
    return bytes ? bytes.slice(0, bytes.byteLength - 1) : null;
  }

  /** Writes the entry, unless somebody else has written it since `read`: then false. */
  write(bytes: ArrayBuffer): bool {
    return this.set(changetype<usize>(bytes), bytes.byteLength);
  }
}

export function info(line: string): void {
  logString(LogLevel.Info, line);
}

export function warn(line: string): void {
  logString(LogLevel.Warn, line);
}

export function error(line: string): void {
  logString(LogLevel.Error, line);
}

function logString(level: LogLevel, text: string): void {
  const bytes = encoded(text);
  log(level, new Line().addBytes(textIn(bytes), sizeOf(textIn(bytes))));
}

/** `text` in quotes and on one line: control characters are written as JSON escapes. */
export function quoted(text: string): string {
  const bytes = encoded(text);
  const line = new Line().add(utf8("%"), textIn(bytes));
  return `"${decoded(line.text())}"`;
}

/**
 * Why a filter cannot set a header of this name, or "" when it can: HTTP forbids it (RFC 9110, 5.1: a token), or it
 * belongs to the connection, as `content-length` does.
 */
export function nameProblem(name: string): string {
  const bytes = encoded(name);
  return decoded(problemOfName(textIn(bytes)));
}

/** Why HTTP forbids this value of a header (RFC 9110, 5.5), or "" when it does not. */
export function valueProblem(value: string): string {
  const bytes = encoded(value);
  return decoded(problemOfValue(textIn(bytes)));
}

/** `text` with A to Z in lower case. */
export function lowerCase(text: string): string {
  const bytes = encoded(text);
  return decoded(lowerCaseOf(textIn(bytes)));
}

export const enum JsonKind {
  String,
  Number,
  Boolean,
  Null,
  Object,
  Array,
}

/** One member of a JSON object. */
export class JsonMember {
  constructor(
    readonly name: string,
    readonly kind: JsonKind,
    /** A string's characters; a number or boolean as written; empty for the others. */
    readonly text: string,
    /** Where the value begins, in characters from 0. */
    readonly offset: i32,
  ) {}
}

export class JsonObject {
  constructor(
    readonly members: JsonMember[],
    /** What is wrong, with its offset, or "" when the text is one JSON object. */
    readonly problem: string,
  ) {}
}

/** Reads `text`, which must be one JSON object and nothing else. */
export function parseObject(text: string): JsonObject {
  const bytes = String.UTF8.encode(text, true);
  const members: JsonMember[] = [];
  let member = readObject(changetype<usize>(bytes), bytes.byteLength - 1);
  if (problem != NONE) {
    return new JsonObject(members, `${decoded(problem)} (offset ${problemOffset})`);
  }
  while (member) {
    const kind = kindOf(member.kind);
    const value = kind == JsonKind.String ? decoded(member.text) : kind < JsonKind.Null ? word(member.text) : "";
    members.push(new JsonMember(decoded(member.name), kind, value, member.offset));
    member = member.next;
  }
  return new JsonObject(members, "");
}

function kindOf(first: i32): JsonKind {
  if (first == 0x22 /* " */) return JsonKind.String;
  if (first == 0x7b /* { */) return JsonKind.Object;
  if (first == 0x5b /* [ */) return JsonKind.Array;
  if (first == 0x6e /* n */) return JsonKind.Null;
  return first == 0x74 /* t */ || first == 0x66 /* f */ ? JsonKind.Boolean : JsonKind.Number;
}

/** A number or a boolean, up to what ends it. */
function word(text: Text): string {
  let end = text;
  while (isInWord(load<u8>(end))) end++;
  return String.UTF8.decodeUnsafe(text, end - text);
}

function isInWord(byte: i32): bool {
  const letter = byte | 0x20;
  return (
    (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a) || byte == 0x2b || byte == 0x2d || byte == 0x2e
  );
}
