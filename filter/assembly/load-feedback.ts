import {
  proxy_get_current_time_nanoseconds,
  proxy_set_tick_period_milliseconds,
} from "@solo-io/proxy-runtime/assembly/imports";
import { Figures } from "./figures";
import { Lease } from "./lease";
import { LogLevel } from "./sdk/abi";
import { Configuration } from "./sdk/configuration";
import { valueProblem } from "./sdk/header";
import { answerBody, answerStatus, HttpCall } from "./sdk/http-call";
import { Line } from "./sdk/line";
import { log } from "./sdk/log";
import { FilterRoot } from "./sdk/root";
import { copyOf, endOf, isControl, isEmpty, isSame, NONE, Text, textIn, utf8 } from "./sdk/text";

const NANOSECONDS_PER_MS: u64 = 1_000_000;
const MAX_MS = 3_600_000;
/** How often to look for the very first figures: a call cannot be made at configuration, and no one should wait long. */
const FIRST_TICK_MS = 50;
/** Of the figures' text; a proxy refuses a response with too large headers. */
const MAX_CHARACTERS = 4096;
/** Of an answer that is no figures, in the log. */
const SHOWN_CHARACTERS = 200;

/**
 * `load_feedback_root`: puts a service's load figures on each response. They are the body of a GET request that goes out
 * on a timer; a request on its way only gets the bytes that are there already.
 *
 * Every worker of a proxy and its main thread have a root context each, and all of them tick. One holds the lease and
 * polls; the others find its figures in the shared data at their next tick.
 *
 * Configuration, of which `cluster` and `path` are required:
 * `{"cluster": "bursting-metrics", "authority": "bursting-metrics", "path": "/load/default/echo", "interval_ms": 1000,
 *   "timeout_ms": 1000, "max_age_ms": 5000, "header": "x-load-feedback"}`
 */
export class LoadFeedback extends FilterRoot {
  /** The header's. */
  private name: ArrayBuffer | null = null;
  private intervalMs: i32 = 0;
  private timeoutMs: i32 = 0;
  private maxAgeMs: i32 = 0;
  // From the first configuration on.
  private request: HttpCall = changetype<HttpCall>(0);
  private lease: Lease = changetype<Lease>(0);
  private figures: Figures = changetype<Figures>(0);

  /** When the figures on the responses came; 0 before the first. */
  private headerAt: u64 = 0;
  private tickMs: i32 = 0;

  configure(configuration: Configuration): void {
    const cluster = configuration.requiredText(utf8("cluster"));
    const authority = configuration.text(utf8("authority"), cluster);
    const path = configuration.requiredText(utf8("path"));
    const intervalMs = configuration.wholeNumber(utf8("interval_ms"), 1000, 10, MAX_MS);
    const timeoutMs = configuration.wholeNumber(utf8("timeout_ms"), 1000, 1, MAX_MS);
    const maxAgeMs = configuration.wholeNumber(utf8("max_age_ms"), max(5000, 5 * intervalMs), 1, 10 * MAX_MS);
    const name = configuration.fieldName(utf8("header"), utf8("x-load-feedback"));
    configuration.refuseOthers();
    if (path != NONE && (load<u8>(path) != 0x2f /* / */ || hasSpace(path)))
      configuration.report(utf8('"path" is "%": it must begin with / and have no space'), path);
    if (hasSpace(authority)) configuration.report(utf8('"authority" is "%": it must have no space'), authority);
    if (maxAgeMs < intervalMs) {
      const format = utf8('"max_age_ms" is #: it must not be less than "interval_ms", which is #');
      configuration.report(format, maxAgeMs, intervalMs);
    }
    if (!configuration.isValid()) return;

    this.name = copyOf(name);
    this.intervalMs = intervalMs;
    this.timeoutMs = timeoutMs;
    this.maxAgeMs = maxAgeMs;
    this.request = new HttpCall(cluster, authority, path, timeoutMs);
    const key = new Line().add(utf8("load_feedback % % "), cluster, authority).add(utf8("% "), path);
    this.lease = new Lease(copyOf(key.add(utf8("lease")).text()));
    this.figures = new Figures(copyOf(key.add(utf8("figures")).text()));
    this.responseHeaders.clear();
    this.headerAt = 0;
    this.setTick(min(FIRST_TICK_MS, intervalMs));
    const line = this.line().add(utf8("% from cluster %"), name, cluster);
    log(LogLevel.Info, line.add(utf8(", %, every # ms"), path, intervalMs));
  }

  onTick(): void {
    const ageMs = this.take();
    const now = currentTime();
    if (!this.request.isUnderWay() && this.lease.claim(now, this.leaseWhileCalling())) this.poll();
    let next = this.intervalMs;
    if (this.responseHeaders.count > 0) next = min(next, this.maxAgeMs - ageMs + 1);
    else if (this.headerAt == 0) next = min(next, FIRST_TICK_MS);
    this.setTick(next);
  }

  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    if (!this.request.isAnsweredBy(token)) return;
    this.lease.endAfter(this.leaseBetweenCalls());
    const status = answerStatus();
    const body = answerBody(bodySize);
    const text = trimmed(body);
    const failure = new Line();
    describeFailure(failure, textIn(status), text);
    if (failure.size == 0) this.answered(text);
    else this.failed(failure.text());
  }

  /**
   * Takes the shared figures over, and logs when they have become too old.
   * @returns their age in milliseconds, which counts only when there is a header.
   */
  private take(): i32 {
    const figures = this.figures;
    if (!figures.refresh()) {
      this.responseHeaders.clear();
      return 0;
    }
    // Unsigned: figures from the future, after the clock was set back, are too old.
    // The time is asked after the figures, which another thread may write meanwhile.
    const ageMs = (currentTime() - figures.at) / NANOSECONDS_PER_MS;
    if (ageMs > <u64>this.maxAgeMs) {
      this.responseHeaders.clear();
      if (!figures.lost && figures.replace(figures.at, true, figures.failure, figures.text)) {
        const line = this.line();
        line.add(utf8("% lost: nothing new for # ms"), textIn(this.name), this.maxAgeMs);
        warn(line, figures.failure);
      }
      return 0;
    }
    if (this.responseHeaders.count == 0 || figures.at != this.headerAt) {
      this.responseHeaders.clear();
      this.responseHeaders.add(textIn(this.name), figures.text);
    }
    this.headerAt = figures.at;
    return <i32>ageMs;
  }

  private poll(): void {
    if (this.request.send()) return;
    this.lease.endAfter(this.leaseBetweenCalls());
    this.failed(utf8("the proxy may not know this cluster"));
  }

  private answered(text: Text): void {
    const now = currentTime();
    const figures = this.figures;
    let back = false;
    do {
      back = figures.refresh() && figures.lost;
    } while (!figures.replace(now, false, NONE, text));
    if (back) log(LogLevel.Info, this.line().add(utf8("% is back"), textIn(this.name)));
    this.take();
  }

  private failed(failure: Text): void {
    const figures = this.figures;
    let known = false;
    do {
      known = figures.refresh();
      if (known && isSame(figures.failure, failure)) return;
    } while (!figures.replace(figures.at, figures.lost, failure, figures.text));
    if (!known) warn(this.line().add(utf8("no % yet"), textIn(this.name)), failure);
  }

  /** Nanoseconds. A call may take longer than the interval; no second one is to start beside it. */
  private leaseWhileCalling(): u64 {
    return max(this.leaseBetweenCalls(), <u64>this.timeoutMs * NANOSECONDS_PER_MS);
  }

  /**
   * Nanoseconds, a little less than the interval: so the lease has run out at the holder's own next tick, and the same one
   * goes on polling. With the whole interval, timers that are early by a hair would stretch it.
   */
  private leaseBetweenCalls(): u64 {
    return <u64>this.intervalMs * ((NANOSECONDS_PER_MS * 9) / 10);
  }

  private setTick(ms: i32): void {
    if (ms == this.tickMs) return;
    this.tickMs = ms;
    proxy_set_tick_period_milliseconds(ms);
  }
}

/** Why the answer has no figures; nothing when it has. */
function describeFailure(failure: Line, status: Text, text: Text): void {
  if (isEmpty(status)) {
    failure.add(utf8("no answer in time"));
  } else if (!isSame(status, utf8("200"))) {
    failure.add(utf8("status %"), status);
    if (isEmpty(text)) return;
    store<u8>(endOf(SHOWN_CHARACTERS, text), 0);
    failure.add(utf8(', "%"'), text);
  } else if (isEmpty(text)) {
    failure.add(utf8("the answer is empty"));
  } else if (!isEmpty(endOf(MAX_CHARACTERS, text))) {
    failure.add(utf8("the answer has over # characters"), MAX_CHARACTERS);
  } else {
    const problem = valueProblem(text);
    if (problem == NONE) return;
    failure.add(utf8("the answer cannot be a header: %"), problem);
  }
}

/** Logs the line, with the reason if there is one. */
function warn(line: Line, reason: Text): void {
  if (!isEmpty(reason)) line.add(utf8(" (%)"), reason);
  log(LogLevel.Warn, line);
}

/** A body as a text, without the line end that it often has. */
function trimmed(body: ArrayBuffer): Text {
  const text = textIn(body);
  let end = text + body.byteLength - 1;
  // A NUL would be its end, and is no more allowed in a header than any other control character.
  for (let at = text; at < end; at++) if (load<u8>(at) == 0) store<u8>(at, 1);
  while (end > text && isLineEnd(load<u8>(end - 1))) end--;
  store<u8>(end, 0);
  return text;
}

function isLineEnd(code: i32): bool {
  return code == 0x0a || code == 0x0d;
}

function hasSpace(text: Text): bool {
  for (; !isEmpty(text); text++) if (load<u8>(text) == 0x20 || isControl(load<u8>(text))) return true;
  return false;
}

/** Nanoseconds since 1970, by the host's clock. */
function currentTime(): u64 {
  proxy_get_current_time_nanoseconds(time);
  return load<u64>(time);
}

const time = memory.data(8);
