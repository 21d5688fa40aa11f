import { expect, test } from "vitest";
import { UserError } from "./errors.ts";
import { holds, NotYet, OutOfTime, poll } from "./poll.ts";

/** Looks that give one after another, the last one again and again. */
function looks<T>(...found: T[]) {
  let asked = 0;
  const look = () => found[Math.min(asked++, found.length - 1)] as T;
  return { look, asked: () => asked };
}

const fast = { timeoutMs: 5_000, everyMs: 1 };

test("what is there at once needs one look", async () => {
  const { look, asked } = looks("there");
  expect(await poll(look, { timeoutMs: 0 })).toBe("there");
  expect(asked()).toBe(1);
});

test("what is not there yet is looked for again", async () => {
  const { look, asked } = looks<string | NotYet>(new NotYet("later"), new NotYet("soon"), "there");
  expect(await poll(look, fast)).toBe("there");
  expect(asked()).toBe(3);
});

test("undefined and false are found, too", async () => {
  expect(await poll(() => undefined, fast)).toBeUndefined();
  expect(await poll(async () => false, fast)).toBe(false);
});

test("out of time: what was seen last", async () => {
  const { look } = looks(new NotYet("nobody"), new NotYet("one of two"));
  const late = await poll(look, { timeoutMs: 20, everyMs: 1 }).catch((error) => error);
  expect(late).toBeInstanceOf(OutOfTime);
  expect(late).toMatchObject({ why: "one of two", message: "not after 0.02 s: one of two" });
});

test("out of time: what the caller makes of it, a value or an error", async () => {
  const look = () => new NotYet("nobody");
  const options = { timeoutMs: 5, everyMs: 1 };
  expect(await poll(look, { ...options, late: ({ why, limitMs }) => `${why} in ${limitMs}` })).toBe("nobody in 5");
  const late = () => {
    throw new Error("gave up");
  };
  await expect(poll(look, { ...options, late })).rejects.toThrow("gave up");
});

test("what may take another time than the rest", async () => {
  const { look, asked } = looks<string | NotYet>(new NotYet("slow", 5_000), new NotYet("slow", 5_000), "there");
  expect(await poll(look, { timeoutMs: 0, everyMs: 1 })).toBe("there");
  expect(asked()).toBe(3);
});

test("why it waits is said once, until it is another reason", async () => {
  const [a, b] = [new NotYet("a"), new NotYet("b")];
  const said: string[] = [];
  const say = (why: string) => void said.push(why);
  await poll(looks<string | NotYet>(a, a, b, b, a, "there").look, { ...fast, say });
  expect(said).toEqual(["a", "b", "a"]);
  await poll(looks("there").look, { ...fast, say });
  expect(said).toHaveLength(3);
});

test("a condition holds in time, or does not", async () => {
  expect(await holds(looks(false, false, true).look, fast)).toBe(true);
  expect(await holds(async () => false, { timeoutMs: 5, everyMs: 1 })).toBe(false);
});

test("a time that is too short for a pause has one look", async () => {
  const { look, asked } = looks(new NotYet("no"));
  await expect(poll(look, { timeoutMs: 10, everyMs: 1_000 })).rejects.toThrow("no");
  expect(asked()).toBe(1);
});

test("what a look throws ends the wait", async () => {
  const look = () => {
    throw new Error("broken for good");
  };
  await expect(poll(look, fast)).rejects.toThrow("broken for good");
});

test("called off: the reason, before the time is up and in the middle of a pause", async () => {
  const stopping = new AbortController();
  const waiting = poll(() => new NotYet("no"), { timeoutMs: 120_000, everyMs: 60_000, signal: stopping.signal });
  stopping.abort(new Error("the person has stopped it"));
  await expect(waiting).rejects.toThrow("the person has stopped it");
});

test("called off: in the caller's words, also where the look itself was", async () => {
  const { signal } = { signal: AbortSignal.abort(new Error("a reason for programs")) };
  const options = { ...fast, signal, cancelled: "web: cancelled before it was ready" };
  await expect(poll(() => new NotYet("no"), options)).rejects.toThrow(new UserError(options.cancelled));
  await expect(poll(() => Promise.reject(signal.reason), options)).rejects.toThrow(new UserError(options.cancelled));
});
