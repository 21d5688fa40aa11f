import { get_current_time_nanoseconds, set_tick_period_milliseconds } from "@solo-io/proxy-runtime/assembly/runtime";
import { Figures, SharedFigures } from "./figures";
import { Lease } from "./lease";
import { Configuration } from "./sdk/configuration";
import { Header, valueProblem } from "./sdk/header";
import { HttpAnswer, HttpGet } from "./sdk/http-call";
import { info, quoted, warn } from "./sdk/log";
import { FilterRoot } from "./sdk/root";

const NANOSECONDS_PER_MS: u64 = 1_000_000;
const MAX_MS = 3_600_000;
/** How often to look for the very first figures: a call cannot be made at configuration, and no one should wait long. */
const FIRST_TICK_MS = 50;
/** Of the figures' text; a proxy refuses a response with too large headers. */
const MAX_TEXT = 4096;

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
  private name: string = "";
  private intervalMs: i32 = 0;
  private timeoutMs: i32 = 0;
  private maxAgeMs: i32 = 0;
  private request: HttpGet = new HttpGet("", "", "", 0);
  private lease: Lease = new Lease("");
  private figures: SharedFigures = new SharedFigures("");

  /** What goes on responses; null when there are no figures, or too old ones. */
  private header: Header | null = null;
  /** `at` of the figures in `header`. */
  private headerAt: u64 = 0;
  private tickMs: i32 = 0;

  configure(configuration: Configuration): void {
    const cluster = configuration.string("cluster");
    const authority = configuration.string("authority", cluster);
    const path = configuration.string("path");
    const intervalMs = configuration.integer("interval_ms", 1000, 10, MAX_MS);
    const timeoutMs = configuration.integer("timeout_ms", 1000, 1, MAX_MS);
    const maxAgeMs = configuration.integer("max_age_ms", max(5000, 5 * intervalMs), 1, 10 * MAX_MS);
    const name = configuration.headerName("header", "x-load-feedback");
    configuration.refuseOthers();
    if (path != "" && !isPath(path))
      configuration.problem(`"path" is ${quoted(path)}: it must begin with / and have no space`);
    if (hasSpace(authority)) configuration.problem(`"authority" is ${quoted(authority)}: it must have no space`);
    if (maxAgeMs < intervalMs) {
      configuration.problem(
        `"max_age_ms" is ${maxAgeMs}: it must not be less than "interval_ms", which is ${intervalMs}`,
      );
    }
    if (!configuration.isValid()) return;

    this.name = name;
    this.intervalMs = intervalMs;
    this.timeoutMs = timeoutMs;
    this.maxAgeMs = maxAgeMs;
    this.request = new HttpGet(cluster, authority, path, timeoutMs);
    const key = `load_feedback ${cluster} ${authority} ${path}`;
    this.lease = new Lease(`${key} lease`);
    this.figures = new SharedFigures(`${key} figures`);
    this.header = null;
    this.headerAt = 0;
    this.setTick(min(FIRST_TICK_MS, intervalMs));
    info(`${this.rootId}: ${name} from cluster ${cluster}, ${path}, every ${intervalMs} ms`);
  }

  onResponseHeaders(): void {
    const header = this.header;
    if (header) header.putOnResponse();
  }

  onTick(): void {
    const ageMs = this.take();
    const now = get_current_time_nanoseconds();
    if (!this.request.isUnderWay() && this.lease.claim(now, now + this.leaseWhileCalling())) this.poll();
    if (this.header) this.setTick(min(this.intervalMs, this.maxAgeMs - ageMs + 1));
    else if (this.headerAt == 0) this.setTick(min(FIRST_TICK_MS, this.intervalMs));
    else this.setTick(this.intervalMs);
  }

  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const answer = this.request.response(token, headers, bodySize);
    if (!answer) return;
    this.lease.endAt(this.lease.claimedAt() + this.leaseBetweenCalls());
    const text = trimmed(answer.body);
    const failure = failureOf(answer, text);
    if (failure == "") this.answered(text);
    else this.failed(failure);
  }

  /**
   * Takes the shared figures over, and logs when they have become too old.
   * @returns their age in milliseconds, which counts only when there is a header.
   */
  private take(): i32 {
    const figures = this.figures.read();
    if (!figures) {
      this.header = null;
      return 0;
    }
    // Unsigned: figures from the future, after the clock was set back, are too old.
    // The time is asked after the figures, which another thread may write meanwhile.
    const ageMs = (get_current_time_nanoseconds() - figures.at) / NANOSECONDS_PER_MS;
    if (ageMs > <u64>this.maxAgeMs) {
      this.header = null;
      if (!figures.lost && this.figures.replace(new Figures(figures.at, true, figures.failure, figures.text))) {
        warn(
          `${this.rootId}: ${this.name} lost: the last figures are older than ${this.maxAgeMs} ms${because(figures.failure)}`,
        );
      }
      return 0;
    }
    if (!this.header || figures.at != this.headerAt) this.header = new Header(this.name, figures.text);
    this.headerAt = figures.at;
    return <i32>ageMs;
  }

  private poll(): void {
    if (this.request.send()) return;
    this.lease.endAt(this.lease.claimedAt() + this.leaseBetweenCalls());
    this.failed("the proxy took no call to the cluster: it may not know one of this name");
  }

  private answered(text: string): void {
    const now = get_current_time_nanoseconds();
    let before: Figures | null;
    do {
      before = this.figures.read();
    } while (!this.figures.replace(new Figures(now, false, "", text)));
    if (before && before.lost) info(`${this.rootId}: ${this.name} is back`);
    this.take();
  }

  private failed(failure: string): void {
    let before: Figures | null;
    let after: Figures;
    do {
      before = this.figures.read();
      if (before && before.failure == failure) return;
      after = before ? new Figures(before.at, before.lost, failure, before.text) : new Figures(0, true, failure, "");
    } while (!this.figures.replace(after));
    if (!before) warn(`${this.rootId}: no ${this.name} yet${because(failure)}`);
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
    return (<u64>this.intervalMs * NANOSECONDS_PER_MS * 9) / 10;
  }

  private setTick(ms: i32): void {
    if (ms == this.tickMs) return;
    this.tickMs = ms;
    set_tick_period_milliseconds(ms);
  }
}

/** Why the answer has no figures, or "". */
function failureOf(answer: HttpAnswer, text: string): string {
  if (answer.status == "") return "no answer in time";
  if (answer.status != "200")
    return `status ${answer.status}${text == "" ? "" : `, ${quoted(text.substring(0, 200))}`}`;
  if (text == "") return "the answer is empty";
  if (text.length > MAX_TEXT) return `the answer is longer than ${MAX_TEXT} characters`;
  const problem = valueProblem(text);
  return problem == "" ? "" : `the answer cannot be a header: ${problem}`;
}

function because(failure: string): string {
  return failure == "" ? "" : ` (${failure})`;
}

/** Without the line end that text in a body often has. */
function trimmed(text: string): string {
  let end = text.length;
  while (end > 0 && (text.charCodeAt(end - 1) == 0x0a || text.charCodeAt(end - 1) == 0x0d)) end--;
  return text.substring(0, end);
}

function isPath(path: string): bool {
  return path.charCodeAt(0) == 0x2f && !hasSpace(path);
}

function hasSpace(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) <= 0x20 || text.charCodeAt(i) == 0x7f) return true;
  }
  return false;
}
