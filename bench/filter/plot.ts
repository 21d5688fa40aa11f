/** The comparison as a picture: an SVG without scripts or fonts of its own. Pure. */
import { threeDigits } from "../table.ts";
import type { Report } from "./costs.ts";
import { conditionsOf, type Row, rowsOf } from "./report.ts";

export interface Plot {
  title: string;
  /** Below the picture: one line each. */
  notes: string[];
  rows: Pick<Row, "name" | "what" | "cost">[];
  /** The row that the picture is about. */
  emphasized: string;
}

const width = 960;
const left = 270;
const right = width - 220;
const top = 84;
const rowHeight = 46;

/** From few open streams to many; told apart without colours by their place in the row as well. */
const colours = ["#56b4e9", "#0072b2", "#1b2a49"];

/** Without the variants of ours: they are about the method. */
export function plotOf(report: Report): string {
  return renderPlot({
    title: "What a filter that adds a header costs Envoy",
    notes: conditionsOf(report),
    rows: rowsOf(report).filter(({ name }) => !name.startsWith("ours-")),
    emphasized: "ours",
  });
}

/** A row for each arm; in it, for each number of open streams, the median as a dot and its interval as a line. */
export function renderPlot({ title, notes, rows, emphasized }: Plot): string {
  const levels = [...new Set(rows.flatMap(({ cost }) => cost.map(({ streams }) => streams)))].sort((a, b) => a - b);
  const scale = logScale(rows.flatMap(({ cost }) => cost.flatMap(({ cpu }) => [cpu.median, cpu.low, cpu.high])));
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 62 + notes.length * 16;
  const parts = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(16, 28, title, { size: 17, weight: "bold" }),
    ...legend(levels),
    ...rows.flatMap((row, i) => (row.name === emphasized ? [band(top + i * rowHeight)] : [])),
    ...axis(scale, bottom),
    ...rows.flatMap((row, i) => drawRow(row, top + i * rowHeight, levels, scale)),
    ...notes.map((note, i) => text(16, bottom + 62 + i * 16, note, { size: 11, colour: "#555555" })),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="Helvetica, Arial, sans-serif">`,
    `<title>${escape(title)}</title>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

interface Scale {
  ticks: number[];
  x(value: number): number;
}

/** From a tick below all values to one above them. What is not above 0 has no place and is drawn at the left edge. */
export function logScale(values: number[]): Scale {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  const [least, most] = positive.length > 0 ? [Math.min(...positive), Math.max(...positive)] : [1, 1];
  const all = Array.from({ length: 16 }, (_, i) => 10 ** (i - 7)).flatMap((decade) => [1, 2, 5].map((n) => n * decade));
  const from = all.findLast((tick) => tick <= least) ?? least;
  const to = all.find((tick) => tick > most) ?? most;
  const place = (value: number) => Math.log(value / from) / Math.log(to / from);
  return {
    ticks: all.filter((tick) => tick >= from && tick <= to),
    x: (value) => left + (right - left) * (value > from ? Math.min(place(value), 1) : 0),
  };
}

function axis({ ticks, x }: Scale, bottom: number): string[] {
  return [
    ...ticks.flatMap((tick) => [
      line(x(tick), top, x(tick), bottom, "#dddddd", 1),
      text(x(tick), bottom + 16, String(Number(tick.toPrecision(1))), {
        size: 11,
        anchor: "middle",
        colour: "#555555",
      }),
    ]),
    text((left + right) / 2, bottom + 36, "µs of worker CPU a request, for a filter more in a chain; logarithmic", {
      size: 12,
      anchor: "middle",
      colour: "#555555",
    }),
  ];
}

/** Above the figures' columns, so that a colour and its column explain one another. */
function legend(levels: number[]): string[] {
  return [
    text(columnX(1), top - 34, "open streams", { size: 11, anchor: "middle", colour: "#555555" }),
    ...levels.flatMap((streams, i) => [
      `<circle cx="${columnX(i) - 18}" cy="${top - 16}" r="4.5" fill="${colourOf(i)}"/>`,
      text(columnX(i) - 10, top - 12, String(streams), { size: 12 }),
    ]),
  ];
}

function drawRow({ name, what, cost }: Plot["rows"][number], y: number, levels: number[], { x }: Scale): string[] {
  const place = (i: number) => y + (rowHeight * (i + 1)) / (levels.length + 1);
  return [
    text(16, y + rowHeight / 2 - 2, name, { size: 14, weight: "bold" }),
    text(16, y + rowHeight / 2 + 14, what, { size: 11, colour: "#555555" }),
    ...cost.flatMap(({ streams, cpu: { median, low, high } }) => {
      const i = levels.indexOf(streams);
      const interval = Number.isNaN(low) ? [] : [line(x(low), place(i), x(high), place(i), colourOf(i), 2.5)];
      return [
        ...interval,
        `<circle cx="${round(x(median))}" cy="${round(place(i))}" r="4.5" fill="${colourOf(i)}"/>`,
        text(columnX(i), y + rowHeight / 2 + 5, threeDigits(median), { size: 13, anchor: "middle" }),
      ];
    }),
  ];
}

const band = (y: number) => `<rect x="8" y="${y}" width="${width - 16}" height="${rowHeight}" rx="4" fill="#f2f6fb"/>`;
const columnX = (i: number) => right + 55 + i * 62;
const colourOf = (i: number) => colours[i % colours.length] as string;
const round = (value: number) => Number(value.toFixed(1));

function line(x1: number, y1: number, x2: number, y2: number, colour: string, thickness: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}" stroke-width="${thickness}"/>`;
}

interface TextStyle {
  size: number;
  weight?: "bold";
  anchor?: "middle";
  colour?: string;
}

function text(x: number, y: number, content: string, { size, weight, anchor, colour = "#111111" }: TextStyle): string {
  const more = `${weight ? ` font-weight="${weight}"` : ""}${anchor ? ` text-anchor="${anchor}"` : ""}`;
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${colour}"${more}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
