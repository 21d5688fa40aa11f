/** A table of text: the first column to the left, figures to the right. */
export function renderTable(head: string[], rows: string[][]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    widths
      .map((width, column) => (column === 0 ? (row[0] ?? "").padEnd(width) : (row[column] ?? "").padStart(width)))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)];
}

/** `12 ms`, `4.56 s`, `65.4 s`: finer than what a person is told of a run. */
export function time(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** Two digits at least: `0.0042`, `3.1`, `42`. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return "?";
  return Math.abs(value) >= 10 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

/** Three digits: `0.712`, `1.09`, `57.8`, `1234`. */
export function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return "?";
  if (value === 0) return "0";
  const digits = 2 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(digits, 0), 4));
}
