import { expect, test } from "vitest";
import { NotYet, OutOfTime, poll } from "./poll.ts";

/** Looks that give one after another, the last one again and again. */
function looks<T>(...found: T[]) {
  let asked = 0;
  const look = () => found[Math.min(asked++, found.length - 1)] as T;
  return { look, asked: () => asked };
}

const fast = { timeoutMs: 5_000, firstMs: 1, mostMs: 1 };

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
  const late = await poll(look, { timeoutMs: 20, firstMs: 1, mostMs: 1 }).catch((error) => error);
  expect(late).toBeInstanceOf(OutOfTime);
  expect(late).toMatchObject({ why: "one of two", message: "not after 0.02 s: one of two" });
});

test("a time that is too short for a pause has one look", async () => {
  const { look, asked } = looks(new NotYet("no"));
  await expect(poll(look, { timeoutMs: 10, firstMs: 1_000 })).rejects.toThrow("no");
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
  const waiting = poll(() => new NotYet("no"), { timeoutMs: 60_000, firstMs: 60_000, signal: stopping.signal });
  stopping.abort(new Error("the person has stopped it"));
  await expect(waiting).rejects.toThrow("the person has stopped it");
});
