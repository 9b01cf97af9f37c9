import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TypedArray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { ARCHIVES, resolveArchive } from "./archives.js";
import { readTimes } from "./coords.js";
import { memoryDataset, variable } from "./dataset.js";
import { encodeMessage } from "./grib/encode-grib2.js";
import { openDataset } from "./open.node.js";
import { writeNetcdf } from "./write-netcdf.node.js";
import { writeZarr } from "./write-zarr.node.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "foehn-archives-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the servers hold, by path and query. */
const files = new Map<string, Buffer>();
let base = "";
let asked: string[] = [];
/** Faults of the next answers: the connection cut halfway, or a piece shorter than asked for that claims to be whole. */
let faults: ("cut" | "short" | "busy" | "none")[] = [];
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const bytes = files.get(decodeURI(request.url!));
    if (!bytes) return void response.writeHead(404).end();
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
    const [from, to] = range
      ? [Number(range[1]), Math.min(Number(range[2] || bytes.length - 1), bytes.length - 1)]
      : [0, bytes.length - 1];
    let piece = bytes.subarray(from, to + 1);
    asked.push(`${request.method} ${request.url!}${range ? ` ${range[0]}` : ""}`);
    const fault = request.method === "GET" ? faults.shift() : undefined;
    if (fault === "busy") return void response.writeHead(503, { "retry-after": "0" }).end();
    if (fault === "short") piece = piece.subarray(0, piece.length >> 1);
    response.writeHead(range ? 206 : 200, {
      "content-length": piece.length,
      ...(range ? { "content-range": `bytes ${from}-${from + piece.length - 1}/${bytes.length}` } : {}),
    });
    if (request.method === "HEAD") return void response.end();
    if (fault === "cut") {
      response.write(piece.subarray(0, piece.length >> 1));
      return void setTimeout(() => response.destroy(), 5);
    }
    response.end(piece);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const http = { wait: 1, timeout: 5000 };
const latitude = [60, 50, 40, 30];
const longitude = [0, 10, 20];
const message = (
  parameter: string,
  value: number,
  leadHours: number,
  level?: { type: string; value: number },
  member?: number,
) =>
  encodeMessage(
    {
      parameter,
      latitude,
      longitude,
      values: Float64Array.from({ length: 12 }, (_, i) => value + i),
      time: Date.UTC(2024, 0, 1),
      leadHours,
      level,
      ...(member === undefined ? {} : { member: { number: member, of: 3 } }),
    },
    { bits: 16 },
  );

function tree(root: string, at: string): void {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      files.set(`${at}/${path.relative(root, file)}`, readFileSync(file));
    }
}

describe("public archives", () => {
  it("are named by their real addresses", () => {
    const urlOf = (location: string): string[] => {
      const plan = resolveArchive(location)!;
      return plan.kind === "zarr"
        ? [plan.url]
        : plan.kind === "grib"
          ? plan.files.map(({ url }) => url)
          : [...plan.urls];
    };
    expect(urlOf("wb2:era5-64x32")).toEqual([
      "https://storage.googleapis.com/weatherbench2/datasets/era5/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr",
    ]);
    expect(urlOf("ecmwf:2024-03-05T12?step=0-12-6&param=2t")).toEqual(
      [0, 6, 12].map(
        (s) => `https://data.ecmwf.int/forecasts/20240305/12z/ifs/0p25/oper/20240305120000-${s}h-oper-fc.grib2`,
      ),
    );
    expect(urlOf("gefs:2024-01-01T06?step=24&member=0,7")).toEqual([
      "https://noaa-gefs-pds.s3.amazonaws.com/gefs.20240101/06/atmos/pgrb2ap5/gec00.t06z.pgrb2a.0p50.f024",
      "https://noaa-gefs-pds.s3.amazonaws.com/gefs.20240101/06/atmos/pgrb2ap5/gep07.t06z.pgrb2a.0p50.f024",
    ]);
    for (const { example } of ARCHIVES) expect(urlOf(example).length).toBeGreaterThan(0);
    expect(resolveArchive("some/file.nc")).toBeUndefined();
    expect(resolveArchive("https://example.org/x.zarr")).toBeUndefined();
    expect(() => resolveArchive("gsf:2024-01-01T00")).toThrow(/no archive 'gsf'; did you mean 'gfs'/);
    expect(() => resolveArchive("gfs:yesterday")).toThrow(/name the run by its time/);
    expect(() => resolveArchive("isd:72494023234")).toThrow(/name the years/);
  });

  it("open Zarr chunk by chunk, kept in a cache that notices damage", async () => {
    const rng = random(1);
    const shape = [8, 4, 3];
    const data = new Float32Array(96).map(() => rng.normal());
    const store = path.join(folder, "wb.zarr");
    const given = memoryDataset({
      time: {
        dims: ["time"],
        data: { dtype: "int64", shape: [8], data: BigInt64Array.from({ length: 8 }, (_, i) => BigInt(6 * i)) },
        attrs: { units: "hours since 1959-01-01" },
      },
      "2m_temperature": {
        dims: ["time", "longitude", "latitude"],
        data: { dtype: "float32", shape, data },
        attrs: { units: "K" },
      },
    });
    await writeZarr(given, store, { zarrFormat: 2, chunks: { time: 2 } });
    tree(store, "/datasets/era5/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr");
    const cache = path.join(folder, "cache");
    const read = async (): Promise<ArrayLike<unknown>> => {
      const dataset = await openDataset(`wb2:era5-64x32?mirror=${encodeURIComponent(base)}`, { http, cache });
      return (await variable(dataset, "2m_temperature").read({ time: { start: 2, stop: 5 } })).data;
    };
    asked = [];
    faults = ["busy"];
    expect(await read()).toEqual(data.slice(24, 60));
    const chunks = () => asked.filter((line) => /2m_temperature\/\d/.test(line));
    expect(chunks()).toHaveLength(2); // of four: the whole is not fetched
    asked = [];
    expect(await read()).toEqual(data.slice(24, 60));
    expect(chunks()).toHaveLength(0);
    const kept = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const entry of kept) truncateSync(path.join(entry.parentPath ?? entry.path, entry.name), 40);
    asked = [];
    expect(await read()).toEqual(data.slice(24, 60));
    expect(chunks()).toHaveLength(2);
  });

  it("take from GFS and GEFS what the inventory says, through answers cut short", async () => {
    for (const [step, stem] of [
      [0, "/gfs.20240101/00/atmos/gfs.t00z.pgrb2.0p25.f000"],
      [6, "/gfs.20240101/00/atmos/gfs.t00z.pgrb2.0p25.f006"],
    ] as const) {
      const parts = [
        message("t", 250 + step, step, { type: "isobaricInhPa", value: 850 }),
        message("u", 5, step, { type: "isobaricInhPa", value: 850 }),
        message("t", 220 + step, step, { type: "isobaricInhPa", value: 500 }),
      ];
      let at = 0;
      const lines = parts.map((part, i) => {
        const line = `${i + 1}:${at}:d=2024010100:${["TMP:850 mb", "UGRD:850 mb", "TMP:500 mb"][i]}:${step ? "6 hour fcst" : "anl"}:`;
        at += part.length;
        return line;
      });
      files.set(stem, Buffer.concat(parts));
      files.set(`${stem}.idx`, Buffer.from(lines.join("\n")));
    }
    asked = [];
    // the first index at the third attempt, the second at once, then messages
    faults = ["busy", "cut", "none", "none", "short", "cut"];
    const dataset = await openDataset(`gfs:2024-01-01T00?step=0,6&match=TMP&mirror=${base}`, { http });
    const t = variable(dataset, "t");
    expect(t.shape.reduce((a, b) => a * b)).toBe(2 * 2 * 12);
    const values = Array.from((await t.read()).data as Float32Array);
    expect(Math.min(...values)).toBeCloseTo(220, 2);
    expect(Math.max(...values)).toBeCloseTo(267, 2);
    expect(dataset.variables.has("u")).toBe(false);
    // four messages, each asked for once more where it came short; the wind between them never
    const wind = files.get("/gfs.20240101/00/atmos/gfs.t00z.pgrb2.0p25.f000")!;
    expect(asked.some((line) => line.includes(`bytes=${wind.indexOf("GRIB", 4)}-`))).toBe(false);
    await expect(openDataset(`gfs:2024-01-01T00?match=SNOD&mirror=${base}`, { http })).rejects.toThrow(
      /no message is what was asked for; there are TMP:850 mb, UGRD:850 mb, TMP:500 mb/,
    );
    await expect(openDataset(`gfs:2024-01-01T00?step=12&mirror=${base}`, { http })).rejects.toThrow(/no such index/);
  });

  it("take from ECMWF what the index says", async () => {
    const stem = "/20240101/00z/ifs/0p25/oper/20240101000000-6h-oper-fc";
    const parts = [message("2t", 280, 6), message("t", 250, 6, { type: "isobaricInhPa", value: 850 })];
    const keys = [
      { param: "2t", levtype: "sfc" },
      { param: "t", levtype: "pl", levelist: "850" },
    ];
    const lines = parts.map((part, i) =>
      JSON.stringify({
        date: "20240101",
        time: "0000",
        step: "6",
        ...keys[i],
        _offset: i * parts[0].length,
        _length: part.length,
      }),
    );
    files.set(`${stem}.grib2`, Buffer.concat(parts));
    files.set(`${stem}.index`, Buffer.from(lines.join("\n")));
    const dataset = await openDataset(`ecmwf:2024-01-01T00?step=6&param=2t&mirror=${base}`, { http });
    const names = [...dataset.variables.values()].filter((v) => v.dims.includes("latitude") && v.dims.length > 1);
    expect(names).toHaveLength(1);
    expect(((await names[0].read()).data as Float32Array)[0]).toBeCloseTo(280, 2);
  });

  it("make tables of GHCN, ISD and METAR", async () => {
    files.set(
      "/csv/by_station/AAA00000001.csv",
      Buffer.from(
        "ID,DATE,ELEMENT,DATA_VALUE,M_FLAG,Q_FLAG,S_FLAG,OBS_TIME\nAAA00000001,20200101,TMAX,123,,,S,\nAAA00000001,20200101,PRCP,5,,,S,\nAAA00000001,20200102,TMAX,999,,X,S,\nAAA00000001,20200102,TMIN,-20,,,S,\n",
      ),
    );
    // without a header, as older files of the bucket
    files.set(
      "/csv/by_station/BBB00000002.csv",
      Buffer.from("BBB00000002,20200101,TMAX,200,,,S,0700\nBBB00000002,20200103,PRCP,0,,,S,\n"),
    );
    const daily = await openDataset(`ghcn:AAA00000001,BBB00000002?mirror=${base}`, { http });
    expect(daily.dims).toMatchObject({ station: 2, time: 3 });
    expect(variable(daily, "tmax").attrs["units"]).toBe("degC");
    expect(Array.from((await variable(daily, "tmax").read()).data as Float64Array)).toEqual([
      expect.closeTo(12.3, 9),
      20,
      NaN,
      NaN,
      NaN,
      NaN,
    ]);
    files.set(
      "/2020/72494023234.csv",
      Buffer.from(
        'STATION,DATE,SOURCE,LATITUDE,LONGITUDE,ELEVATION,NAME,REPORT_TYPE,CALL_SIGN,QUALITY_CONTROL,WND,CIG,VIS,TMP,DEW,SLP\n"72494023234","2020-01-01T00:00:00","7","37.6197","-122.3647","2.4","SAN FRANCISCO, CA US","FM-15","KSFO","V030","250,5,N,0046,5","22000,5,9,N","016093,5,N,5","+0122,5","+0067,2","10233,5"\n"72494023234","2020-01-01T01:00:00","7","37.6197","-122.3647","2.4","SAN FRANCISCO, CA US","FM-15","KSFO","V030","999,9,C,0000,5","22000,5,9,N","016093,5,N,5","+9999,9","-0011,5","99999,9"\n',
      ),
    );
    const hourly = await openDataset(`isd:72494023234?year=2020&mirror=${base}`, { http });
    const value = async (name: string): Promise<number[]> =>
      Array.from((await variable(hourly, name).read()).data as Float64Array);
    expect(await value("temp")).toEqual([expect.closeTo(12.2, 9), NaN]);
    expect(await value("dewp")).toEqual([NaN, expect.closeTo(-1.1, 9)]); // the first is suspect
    expect(await value("wind_speed")).toEqual([expect.closeTo(4.6, 9), 0]);
    expect(await value("latitude")).toEqual([37.6197]);
    files.set(
      "/asos?station=KSFO&data=all&year1=2020&year2=2020&month1=1&month2=1&day1=1&day2=2&tz=Etc%2FUTC&format=onlycomma&latlon=yes&elev=yes&missing=empty&trace=0.0001&direct=no&report_type=3&report_type=4",
      Buffer.from(
        "station,valid,lon,lat,elevation,tmpf,dwpf,relh,drct,sknt,p01i\nSFO,2020-01-01 00:56,-122.36,37.62,3.0,52.00,,71.4,250,9.0,0.0001\n",
      ),
    );
    const reports = await openDataset(`metar:KSFO?from=2020-01-01&to=2020-01-02&mirror=${base}/asos`, { http });
    expect(variable(reports, "tmpf").attrs["units"]).toBe("degF");
    expect((await readTimes(reports)).values[0]).toBe(Date.UTC(2020, 0, 1, 0, 56));
  });

  it("reads of an HDF5 file what is asked for", async () => {
    const numbers = random(4);
    const shape = [24, 256, 512];
    const data = Float32Array.from({ length: 24 * 256 * 512 }, () => numbers.normal());
    const file = path.join(folder, "large.nc");
    await writeNetcdf(
      memoryDataset({
        a: { dims: ["time", "y", "x"], data: { dtype: "float32", shape, data }, attrs: { units: "K" } },
      }),
      file,
      { chunks: { time: 2, y: 128, x: 512 } },
    );
    const bytes = readFileSync(file);
    files.set("/large.nc", bytes);
    asked = [];
    const dataset = await openDataset(`${base}/large.nc`, { http });
    const a = variable(dataset, "a");
    expect(a.attrs["units"]).toBe("K");
    // two chunks of the 24
    const step = await a.read({ time: 17 });
    const same = (a: TypedArray, b: TypedArray): boolean =>
      Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
    expect(same(step.data, data.subarray(17 * 256 * 512, 18 * 256 * 512))).toBe(true);
    const fetched = asked
      .map((line) => /bytes=(\d+)-(\d+)/.exec(line))
      .reduce((sum, range) => sum + (range ? Number(range[2]) - Number(range[1]) + 1 : 0), 0);
    expect(fetched).toBeLessThan(bytes.length / 2);
    // the rest comes when it is asked for, in parts that cross chunks, several at once
    const [part, whole] = await Promise.all([
      a.read({ time: { start: 3, stop: 6 }, y: { start: 100, stop: 140 }, x: [7] }),
      a.read(),
    ]);
    expect(same(whole.data, data)).toBe(true);
    expect(part.data[0]).toBe(data[3 * 256 * 512 + 100 * 512 + 7]);
    expect(part.data.at(-1)).toBe(data[5 * 256 * 512 + 139 * 512 + 7]);
    await dataset.close();
    files.set("/cut.nc", bytes.subarray(0, 5000));
    await expect(openDataset(`${base}/cut.nc`, { http })).rejects.toThrow(/cut.nc: .* (truncated|damaged)/);
  });

  it("and single files: HDF5 at an address, gzipped NetCDF", async () => {
    const file = path.join(folder, "one.nc");
    const data = Float32Array.from({ length: 6 }, (_, i) => i);
    await writeNetcdf(
      memoryDataset({ a: { dims: ["x", "y"], data: { dtype: "float32", shape: [2, 3], data } } }),
      file,
    );
    files.set("/one.nc", readFileSync(file));
    writeFileSync(path.join(folder, "one.nc.gz"), gzipSync(readFileSync(file)));
    const before = readdirSync(os.tmpdir()).filter((name) => /^foehn-\w{6}$/.test(name)).length;
    for (const location of [`${base}/one.nc`, path.join(folder, "one.nc.gz")]) {
      const dataset = await openDataset(location, { http });
      expect(dataset.source).toBe(location);
      expect((await variable(dataset, "a").read()).data).toEqual(data);
      await dataset.close();
    }
    expect(readdirSync(os.tmpdir()).filter((name) => /^foehn-\w{6}$/.test(name)).length).toBeLessThanOrEqual(before);
    const cut = gzipSync(readFileSync(file));
    writeFileSync(path.join(folder, "cut.nc.gz"), cut.subarray(0, cut.length - 50));
    await expect(openDataset(path.join(folder, "cut.nc.gz"))).rejects.toThrow(/cut.nc.gz: it cannot be unzipped/);
    expect(existsSync(file)).toBe(true);
  });
});
