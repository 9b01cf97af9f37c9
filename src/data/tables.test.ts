import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatTime } from "../earth/time.js";
import { convertDataset } from "./convert.node.js";
import { readCoordinate, readTimes } from "./coords.js";
import { formatCsv, parseCsv } from "./csv.js";
import { memoryDataset, variable } from "./dataset.js";
import { describe as describeDataset, table } from "./info.js";
import { formatNpy, parseNpy } from "./npy.js";
import { openDataset } from "./open.node.js";
import { tableDataset } from "./table.js";
import { writeNetcdf } from "./write-netcdf.node.js";
import { writeZarr } from "./write-zarr.node.js";

const temporary = mkdtempSync(path.join(os.tmpdir(), "foehn-tables-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
const at = (name: string): string => path.join(temporary, name);
const shared = path.join(process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"), "data");
const has = (name: string): boolean => existsSync(path.join(shared, name));

const OBSERVATIONS = `# from the valley
station,time,temp_c,wind [m/s],sky
B,2020-01-01T01:00Z,3.5,1,clear
A,2020-01-01T00:00Z,1.5,NA,"rain, heavy"
A,2020-01-01T01:00Z,2.5,-9999,
A,2020-01-01T01:00Z,9.5,4,again
`;

describe("CSV", () => {
  it("becomes variables on time and station", async () => {
    const dataset = tableDataset(parseCsv(OBSERVATIONS, { source: "obs.csv", missing: ["-9999"] }));
    expect(dataset.dims).toEqual({ time: 2, station: 2 });
    expect(await variable(dataset, "station").readStrings!()).toEqual(["A", "B"]);
    expect((await variable(dataset, "temp_c").read()).data).toEqual(Float64Array.of(1.5, NaN, 2.5, 3.5));
    expect(variable(dataset, "temp_c").attrs).toEqual({ units: "degC" });
    expect((await variable(dataset, "wind").read({ time: 1 })).data).toEqual(Float64Array.of(NaN, 1));
    expect(variable(dataset, "wind").attrs["units"]).toBe("m/s");
    expect(await variable(dataset, "sky").readStrings!({ station: 0 })).toEqual(["rain, heavy", ""]);
    expect(dataset.attrs["problems"]).toMatch(/1 rows repeat a station and time/);
    expect(formatTime((await readTimes(dataset)).values[1])).toBe("2020-01-01T01:00:00Z");
  });

  it("takes the places of stations from their own table", async () => {
    const stations = parseCsv("id;lat;lon;height\nB;47.5;11;800\nA;47;10.5;600\n", { source: "stations.csv" });
    const dataset = tableDataset(parseCsv(OBSERVATIONS, { source: "obs.csv" }), { stations, units: { temp_c: "K" } });
    expect(Array.from(await readCoordinate(dataset, "latitude"))).toEqual([47, 47.5]);
    expect(Array.from(await readCoordinate(dataset, "elevation"))).toEqual([600, 800]);
    expect(variable(dataset, "temp_c").attrs["units"]).toBe("K");
  });

  it("reads what csv-parse reads", () => {
    const cell = fc.string({ unit: fc.constantFrom("a", "1", " ", ",", '"', "\n", "é"), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 6 }), (rows) => {
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const text = `x,y,z\n${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
        const expected: string[][] = parse(text);
        const { columns } = parseCsv(text, { source: "t" });
        const got = [...columns.values()];
        expected.slice(1).forEach((row, r) =>
          row.forEach((value, c) => {
            const column = got[c];
            if (!(column instanceof Float64Array))
              expect(column[r]).toBe(["-", ".", "M"].includes(value.trim()) ? "" : value.trim());
            else if (value.trim() !== "") expect(column[r]).toBe(Number(value));
          }),
        );
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it("tells times in every form tables have", () => {
    const first = async (text: string): Promise<string> =>
      formatTime((await readTimes(tableDataset(parseCsv(text, { source: "t" })))).values[0]);
    return Promise.all([
      expect(first("date,x\n2004010106,1\n")).resolves.toBe("2004-01-01T06:00:00Z"),
      expect(first("year;month;day;hour;x\n2013;7;1;6;1\n")).resolves.toBe("2013-07-01T06:00:00Z"),
      expect(first("Year,x\n1880,1\n")).resolves.toBe("1880-01-01T00:00:00Z"),
      expect(first("time,x\n1750.5,1\n")).resolves.toBe("1750-07-02T12:00:00Z"),
    ]);
  });

  it("says what is wrong with a table, and where", () => {
    const open = (text: string) => tableDataset(parseCsv(text, { source: "t.csv" }));
    expect(() => open("a,b\n1\n")).toThrow(/t.csv: row 2 has 1 values, the header 2/);
    expect(() => open("a,a\n1,2\n")).toThrow(/column 'a' is there twice/);
    expect(() => open('a,b\n"1,2\n')).toThrow(/never closed/);
    expect(() => open("time,b\nyesterday,2\n")).toThrow(/row 1, column 'time': 'yesterday' is not a time/);
    expect(() => open("a,b\n")).toThrow(/no rows/);
  });

  it.each(["csv", "parquet"])("goes to %s and back", async (ending) => {
    const stations = parseCsv("id,lat,lon\nB,47.5,11\nA,47,10.5\n", { source: "stations.csv" });
    const dataset = tableDataset(parseCsv(OBSERVATIONS, { source: "obs.csv" }), { stations, units: { wind: "m s-1" } });
    await convertDataset(dataset, at(`out.${ending}`), { units: { temp_c: "K" } });
    const again = await openDataset(at(`out.${ending}`));
    expect(again.dims).toEqual({ time: 2, station: 2 });
    expect(variable(again, "temp_c").attrs["units"]).toBe("K");
    expect((await variable(again, "temp_c").read()).data).toEqual(Float64Array.of(274.65, NaN, 275.65, 276.65));
    expect(variable(again, "wind").attrs["units"]).toBe("m s-1");
    expect(await variable(again, "sky").readStrings!({ time: 0 })).toEqual(["rain, heavy", ""]);
    expect(Array.from(await readCoordinate(again, "latitude"))).toEqual([47, 47.5]);
    expect((await readTimes(again)).values).toEqual((await readTimes(dataset)).values);
  });

  it("is written back as it was", () => {
    const { columns } = parseCsv(OBSERVATIONS, { source: "t" });
    expect(parseCsv(formatCsv(columns), { source: "t" }).columns).toEqual(columns);
  });
});

describe("NumPy arrays", () => {
  it("go round, and Fortran order and big-endian are turned", () => {
    const array = { dtype: "float32" as const, shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, NaN) };
    expect(parseNpy(formatNpy(array), "a.npy")).toEqual(array);
    const header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }".padEnd(117) + "\n";
    const bytes = Uint8Array.from([
      0x93,
      ...Buffer.from("NUMPY"),
      1,
      0,
      118,
      0,
      ...Buffer.from(header),
      0,
      1,
      0,
      4,
      0,
      2,
      0,
      5,
      0,
      3,
      255,
      255,
    ]);
    expect(parseNpy(bytes, "b.npy")).toEqual({ dtype: "int16", shape: [2, 3], data: Int16Array.of(1, 2, 3, 4, 5, -1) });
    expect(() => parseNpy(bytes.subarray(0, 132), "b.npy")).toThrow(/12 bytes of values were expected, 4 are there/);
  });
});

describe("many files and addresses", () => {
  const part = (from: number, name = "t") =>
    memoryDataset({
      time: {
        dims: ["time"],
        data: { dtype: "float64", shape: [2], data: Float64Array.of(from, from + 6) },
        attrs: { units: "hours since 2020-01-01" },
      },
      [name]: {
        dims: ["time", "latitude"],
        data: { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, from) },
        attrs: { units: "K" },
      },
    });
  let server: Server;
  let address = "";
  let failures = 0;
  beforeAll(async () => {
    await writeNetcdf(part(12), at("many-1.nc"));
    await writeZarr(part(0), at("many-2.zarr"));
    await writeNetcdf(part(0, "u"), at("other.nc"));
    writeFileSync(at("obs.csv.gz"), gzipSync(OBSERVATIONS));
    server = createServer((request, response) => {
      const file = at(decodeURI(request.url!).slice(1));
      if (failures > 0 && failures-- > 0) return void response.writeHead(503).end();
      if (!existsSync(file) || file.endsWith(".zarr")) return void response.writeHead(404).end();
      const bytes = readFileSync(file);
      const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
      const piece = range ? bytes.subarray(Number(range[1]), range[2] ? Number(range[2]) + 1 : undefined) : bytes;
      response
        .writeHead(range ? 206 : 200, { "content-length": piece.length })
        .end(request.method === "HEAD" ? undefined : piece);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  it("follow each other in time whatever their format and order", async () => {
    const dataset = await openDataset(at("many-?.*"));
    expect(dataset.dims).toEqual({ time: 4, latitude: 3 });
    expect((await variable(dataset, "t").read({ latitude: 2 })).data).toEqual(Float32Array.of(3, 0, 3, 12));
    await dataset.close();
    await expect(openDataset(at("many-*.grib"))).rejects.toThrow(/no file matches this pattern/);
    await expect(openDataset(at("*.nc"))).rejects.toThrow(
      /its 'time' is not that of .*many-1.nc \(they differ from index 0 on\)/,
    );
  });

  it("come over HTTP, through failures that pass", async () => {
    failures = 2;
    const dataset = await openDataset(`${address}/many-2.zarr`, { http: { wait: 1 } });
    expect((await variable(dataset, "t").read({ time: 0 })).data).toEqual(Float32Array.of(1, 2, 3));
    const csv = await openDataset(`${address}/obs.csv.gz`);
    expect(csv.dims).toEqual({ time: 2, station: 2 });
    failures = 100;
    await expect(openDataset(`${address}/many-2.zarr`, { http: { wait: 1, retries: 2 } })).rejects.toThrow(
      /cannot be fetched: the server answers 503/,
    );
    failures = 0;
    await expect(openDataset(`${address}/nothing`)).rejects.toThrow(/neither a Zarr store .* nor a file/);
    const far = await openDataset(`${address}/many-1.nc`);
    expect(far.dims).toEqual({ time: 2, latitude: 3 });
    await far.close();
  });
});

describe("info", () => {
  it("finds the 1048 mph wind and the missing units of nyc-hourly-2013", async (context) => {
    if (!has("nyc-hourly-2013")) return context.skip("needs ../shared/data/nyc-hourly-2013");
    const dataset = await openDataset(path.join(shared, "nyc-hourly-2013/weather.csv.gz"), {
      units: { wind_speed: "mph" },
    });
    const info = await describeDataset(dataset);
    const messages = info.problems.map(({ message }) => message).join("\n");
    expect(messages).toMatch(/'wind_speed' lies between 0 and 1048 mph, which 10m wind speed does not/);
    expect(messages).toMatch(/'temp' has no units/);
    expect(table(info)).toContain("time            8714   2013-01-01T06:00Z to 2013-12-30T23:00Z every hour");
  });

  it.skipIf(!has("ireland-hourly"))(
    "agrees with pandas on ireland-hourly (needs ../shared/data/ireland-hourly)",
    async () => {
      const dataset = await openDataset(path.join(shared, "ireland-hourly/observations.csv.gz"), {
        table: { stations: path.join(shared, "ireland-hourly/stations.csv") },
      });
      expect(dataset.dims).toEqual({ time: 8760, station: 25 });
      const { data } = await variable(dataset, "temp_c").read();
      const known = (data as Float64Array).filter((x) => !Number.isNaN(x));
      expect(known.reduce((a, b) => a + b, 0) / known.length).toBeCloseTo(IRELAND_MEAN, 9);
      expect((await readCoordinate(dataset, "elevation"))[0]).toBe(40);
    },
  );
});

/** pandas: `read_csv("observations.csv.gz").temp_c.mean()`. */
const IRELAND_MEAN = 10.297983402944697;
