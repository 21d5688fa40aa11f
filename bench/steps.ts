/** Which steps of a command took longest, by its own words: `  created Command kind (23 s)`. Longest first. */
export function longestSteps(progress: string, count: number): string[] {
  const steps = [...progress.matchAll(/^ {2}((?:created|updated|replaced) .+) \(((?:\d+ min )?[\d.]+ m?s)\)$/gm)];
  return steps
    .map(([, what = "", took = ""]) => ({ text: `${what} ${took}`, ms: milliseconds(took) }))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, count)
    .map(({ text }) => text);
}

/** `850 ms`, `9.1 s`, `3 min 5 s` */
function milliseconds(text: string): number {
  const unit: Record<string, number> = { ms: 1, s: 1000, min: 60_000 };
  return [...text.matchAll(/([\d.]+) (min|ms|s)/g)].reduce(
    (sum, [, n, of = "s"]) => sum + Number(n) * (unit[of] ?? 0),
    0,
  );
}
