import { expect, test } from "vitest";
import { Clock } from "./clock.ts";

test("the monotonic reading starts at a second and grows with each reading", () => {
  const clock = new Clock(5000);
  expect([1, 2, 3].map(() => clock.readMonotonic())).toEqual([1_000_000_000n, 1_000_000_001n, 1_000_000_002n]);
});

test("real time stands still while it is read", () => {
  const clock = new Clock(5000);
  expect([1, 2, 3].map(() => clock.readRealtime())).toEqual([5_000_000_000n, 5_000_000_000n, 5_000_000_000n]);
});

test("both move when the clock is moved", () => {
  const clock = new Clock(5000);
  clock.readMonotonic();
  clock.advance(250);
  expect(clock.readMonotonic()).toBe(1_250_000_001n);
  expect(clock.readRealtime()).toBe(5_250_000_000n);
});

test("many calls with a few readings each are no wait", () => {
  const clock = new Clock(0);
  for (let call = 0; call < 1000; call++) {
    clock.beginCall();
    for (let i = 0; i < 100; i++) clock.readMonotonic();
  }
  expect(clock.readMonotonic()).toBe(1_000_100_000n);
  expect(clock.now).toBe(0);
});

test("who reads on and on within one call waits, and time passes", () => {
  const clock = new Clock(0);
  clock.beginCall();
  const end = clock.readMonotonic() + 30_000_000n;
  let wentBack = false;
  for (let [last, reading] = [0n, clock.readMonotonic()]; reading < end; ) {
    [last, reading] = [reading, clock.readMonotonic()];
    wentBack ||= reading <= last;
  }
  expect(wentBack).toBe(false);
  expect(clock.now).toBeGreaterThan(0);
  expect(clock.readRealtime()).toBeGreaterThan(0n);
});

test("what fell due during a wait happens when the clock is moved next, and the clock never goes back", () => {
  const clock = new Clock(0);
  const happened: number[] = [];
  clock.after(1, () => happened.push(clock.now));
  clock.beginCall();
  const end = clock.readMonotonic() + 20_000_000n;
  while (clock.readMonotonic() < end);
  expect(happened).toEqual([]);
  const waited = clock.now;
  clock.advance(0);
  expect(happened).toEqual([waited]);
  expect(clock.now).toBe(waited);
});
