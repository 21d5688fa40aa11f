/** A running Envoy that is asked and waited for: as long as it lives, however long it is busy. */
import { messageOf, UserError } from "../lib/errors.ts";
import { type HttpResponse, httpRequest } from "../lib/http.ts";
import { holds, NotYet, poll } from "../lib/poll.ts";
import { type LogStart, quote } from "../process/log.ts";
import { identify } from "../process/table.ts";
import { EnvoyAdmin } from "./admin.ts";

export interface RunningEnvoyArgs {
  /** Its admin interface: `http://127.0.0.1:9901`. */
  admin: string;
  /** `PID@START`, as the state has it, or its pid alone. */
  process: string;
  /** Its log, from where it is quoted should it end. */
  log: LogStart;
  /** Is told what is waited for, once it takes long. */
  say?: (message: string) => void;
  /** Stops the waiting. */
  signal?: AbortSignal;
}

/** The longest that Node's timers take: 24 days. */
const endlessMs = 2 ** 31 - 1;
const lookEveryMs = 250;
/** After so much silence the person is told, and again each time as much as `sayAgainMs` has passed. */
const sayAfterMs = 3_000;
const sayAgainMs = 60_000;

/**
 * Envoy compiles modules on its main thread, and its admin interface is silent meanwhile: 0.6 s of CPU a megabyte, and on
 * a busy machine many times that. So silence says nothing, and costs no patience; only the end of the process does.
 */
export class RunningEnvoy {
  /** Answers late where it has to, and never gives up before Envoy ends. */
  readonly admin: EnvoyAdmin;
  readonly #args: RunningEnvoyArgs;
  /** NaN where it is not known. */
  readonly pid: number;
  readonly #startTime: string | undefined;
  /** Spent waiting for answers, in all. */
  #askedMs = 0;
  #saidAt = 0;

  constructor(args: RunningEnvoyArgs) {
    this.#args = args;
    const [pid, startTime] = args.process.split("@");
    this.pid = Number(pid);
    this.#startTime = startTime;
    this.admin = new EnvoyAdmin(args.admin, (url) => this.#ask(url));
  }

  /**
   * Looks again and again until something holds.
   * @param patienceMs that it may take an Envoy that answers; the time in which it is silent comes on top
   * @throws UserError when it does not come to hold, or Envoy ends
   */
  async until(what: string, patienceMs: number, condition: () => Promise<boolean>): Promise<void> {
    const asked = this.#askedMs;
    const look = async () => (await condition()) || new NotYet(what, patienceMs + this.#askedMs - asked);
    const late = () => {
      throw new UserError(`Envoy did not ${what} within ${patienceMs / 1000} s. Its log: ${this.#args.log.path}`);
    };
    await poll(look, { timeoutMs: patienceMs, everyMs: 20, signal: this.#args.signal, late });
  }

  async #ask(url: string): Promise<HttpResponse> {
    const began = performance.now();
    const ended = new AbortController();
    const look = setInterval(() => {
      if (!this.#lives()) ended.abort(this.#hasEnded());
      this.#saySilence(performance.now() - began);
    }, lookEveryMs);
    const signal = AbortSignal.any([ended.signal, ...(this.#args.signal ? [this.#args.signal] : [])]);
    try {
      return await httpRequest({ url, timeoutMs: this.#isKnown ? endlessMs : 10_000, signal });
    } catch (error) {
      if (signal.aborted || error instanceof UserError) throw error;
      // Its connections end a moment before it does.
      if (await holds(() => !this.#lives(), { timeoutMs: 1000, everyMs: 50 })) throw this.#hasEnded();
      throw new UserError(`Envoy's admin interface does not answer at ${url}: ${messageOf(error)}`);
    } finally {
      clearInterval(look);
      this.#askedMs += performance.now() - began;
    }
  }

  /** Whether there is a process to look at. */
  get #isKnown(): boolean {
    return this.pid > 0;
  }

  #lives(): boolean {
    if (!this.#isKnown) return true;
    const found = identify(this.pid);
    return found !== undefined && (this.#startTime === undefined || found.startTime === this.#startTime);
  }

  #hasEnded(): UserError {
    return new UserError(`Envoy (pid ${this.pid}) has ended meanwhile.${quote(this.#args.log)}`);
  }

  #saySilence(silentMs: number): void {
    if (silentMs < sayAfterMs || (this.#saidAt > 0 && silentMs < this.#saidAt + sayAgainMs)) return;
    const who = `Envoy (pid ${this.pid})`;
    if (this.#saidAt === 0)
      this.#args.say?.(
        `${who} is busy and does not answer, as while it compiles a large module. It is waited for as long as it lives.`,
      );
    else this.#args.say?.(`${who} has been busy for ${Math.round(silentMs / 1000)} s; it is still waited for.`);
    this.#saidAt = silentMs;
  }
}
