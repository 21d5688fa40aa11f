import { afterEach, beforeEach, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { holdStreams, SlowUpstream } from "./held.ts";

/** Without a proxy between: the streams are held at the upstream itself. */
let upstream: SlowUpstream;
beforeEach(async () => {
  upstream = await SlowUpstream.listen();
});
afterEach(() => upstream.stop());

it("as many streams are open as are asked for, until they are released", async () => {
  const release = await holdStreams(upstream, upstream.port, 150, {});
  expect(upstream.open).toBe(150);
  await release();
  expect(upstream.open).toBe(0);
});

it("none is held where none is asked for", async () => {
  const release = await holdStreams(upstream, upstream.port, 0, {});
  expect(upstream.open).toBe(0);
  await release();
});

it("a stream without the header is refused, and none stays open", async () => {
  const holding = holdStreams(upstream, upstream.port, 3, { "x-bench": "yes" });
  await expect(holding).rejects.toThrow(UserError);
  await expect(holding).rejects.toThrow(/x-bench: \(none\), not yes/);
  await expect.poll(() => upstream.open).toBe(0);
});

it("nobody there is an error", async () => {
  await expect(holdStreams(upstream, 1, 2, {})).rejects.toThrow(/ECONNREFUSED/);
});

it("stops with streams open", async () => {
  await holdStreams(upstream, upstream.port, 5, {});
  await upstream.stop();
  upstream = await SlowUpstream.listen();
});
