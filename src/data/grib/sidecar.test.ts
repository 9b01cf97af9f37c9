import { describe, expect, it } from "vitest";
import { mergeRanges, parseSidecar } from "./sidecar.js";

describe("wgrib2 inventories (.idx)", () => {
  const text = [
    "1:0:d=2024010106:PRMSL:mean sea level:6 hour fcst:",
    "2:990253:d=2024010106:UGRD:10 m above ground:6 hour fcst:ENS=+12",
    "3.1:1045000:d=2024010106:UGRD:850 mb:6 hour fcst:ENS=low-res ctl",
    "3.2:1045000:d=2024010106:VGRD:850 mb:6 hour fcst:",
    "4:2000000:d=2024010106:APCP:surface:0-6 hour acc fcst:",
  ].join("\n");
  const entries = parseSidecar(text, "gfs.idx");
  it("gives each message the bytes up to the next", () => {
    expect(entries.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 990253],
      [990253, 54747],
      [1045000, 955000],
      [1045000, 955000],
      [2000000, undefined],
    ]);
  });
  it("reads what stands in a line", () => {
    expect(entries[1]).toMatchObject({
      parameter: "UGRD",
      level: "10 m above ground",
      step: "6 hour fcst",
      member: 12,
      time: Date.UTC(2024, 0, 1, 6),
    });
    expect(entries[2].member).toBe(0);
    expect(entries[4].member).toBeUndefined();
  });
  it("names a line that is none", () => {
    expect(() => parseSidecar("1:0:d=2024010106:PRMSL\n", "bad.idx")).toThrow(
      "bad.idx: line 1 is not an inventory line",
    );
    expect(() => parseSidecar("<html>\n", "bad.idx")).toThrow(/line 1/);
    expect(() => parseSidecar("", "bad.idx")).toThrow("bad.idx: the index lists no message");
  });
});

describe("ECMWF open data's index (.index)", () => {
  it("reads JSON lines", () => {
    const line =
      '{"domain": "g", "date": "20240101", "time": "1200", "step": "6", "levtype": "pl", "levelist": "850", "param": "t", "number": "3", "_offset": 17459800, "_length": 609046}';
    expect(parseSidecar(`${line}\n`, "x.index")).toEqual([
      expect.objectContaining({
        offset: 17459800,
        length: 609046,
        parameter: "t",
        level: "pl 850",
        step: "6",
        member: 3,
        time: Date.UTC(2024, 0, 1, 12),
      }),
    ]);
  });
  it.each([
    '{"_offset": -1, "_length": 3, "date": "20240101"}',
    '{"_offset": 1}',
    '{"a',
    '{"_offset": 1, "_length": 3}',
  ])("refuses %s", (line) => {
    expect(() => parseSidecar(line, "x.index")).toThrow(/^x\.index: line 1 of the index/);
  });
});

it("ranges are merged, ascending, across small gaps", () => {
  const ranges = [{ offset: 100, length: 50 }, { offset: 0, length: 10 }, { offset: 10, length: 5 }, { offset: 160 }];
  expect(mergeRanges(ranges)).toEqual([{ offset: 0, length: 15 }, { offset: 100, length: 50 }, { offset: 160 }]);
  expect(mergeRanges(ranges, { gap: 10 })).toEqual([{ offset: 0, length: 15 }, { offset: 100 }]);
});
