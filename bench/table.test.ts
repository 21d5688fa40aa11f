import { describe, expect, it } from "vitest";
import { renderTable, significant, threeDigits, time } from "./table.ts";

describe("renderTable", () => {
  it("lines names up to the left and figures to the right", () => {
    const rows = [
      ["up with nothing to do", "3.10 s", "3 s"],
      ["from nothing", "65.4 s", "60 s"],
    ];
    expect(renderTable(["", "median", "goal"], rows)).toEqual([
      "                       median  goal",
      "─────────────────────  ──────  ────",
      "up with nothing to do  3.10 s   3 s",
      "from nothing           65.4 s  60 s",
    ]);
  });

  it("a row may be short, and no line ends in spaces", () => {
    const lines = renderTable(["what", "goal"], [["one"], ["two", ""]]);
    expect(lines.slice(2)).toEqual(["one", "two"]);
  });

  it("without rows is its head", () => expect(renderTable(["a", "b"], [])).toEqual(["a  b", "─  ─"]));
});

it.each([
  [12.4, "12 ms"],
  [999, "999 ms"],
  [4561, "4.56 s"],
  [65_420, "65.4 s"],
])("time(%d) is %s", (ms, text) => expect(time(ms)).toBe(text));

it.each([
  [0.00423, "0.0042"],
  [3.149, "3.1"],
  [42.4, "42"],
  [-0.5, "-0.5"],
  [Number.NaN, "?"],
])("significant(%d) is %s", (value, text) => expect(significant(value)).toBe(text));

it.each([
  [0.07123, "0.0712"],
  [0.7123, "0.712"],
  [1.0851, "1.09"],
  [57.84, "57.8"],
  [1234.5, "1235"],
  [-1.234, "-1.23"],
  [0, "0"],
  [0.000012, "0.0000"],
  [Number.NaN, "?"],
])("threeDigits(%d) is %s", (value, text) => expect(threeDigits(value)).toBe(text));
