/**
 * Public archives by name. `gfs:2024-01-01T00?step=0,6&match=TMP:850 mb` is as good as a path wherever one is taken.
 *
 * | name | what | how |
 * |---|---|---|
 * | `wb2:<dataset>` | WeatherBench 2: ERA5 on coarse grids, its climatology, forecasts | Zarr |
 * | `arco:era5` | ARCO ERA5, hourly, quarter degree, 37 levels | Zarr |
 * | `cmip6:<activity>/<institution>/...` | CMIP6, Pangeo's copy | Zarr |
 * | `ecmwf:<run>?step=..&param=..&levelist=..` | ECMWF open data, quarter degree | GRIB by `.index` |
 * | `gfs:<run>?step=..&match=..`, `gefs:..&member=..` | NOAA's forecasts | GRIB by `.idx` |
 * | `ghcn:<stations>` | GHCN daily | CSV |
 * | `isd:<stations>?year=..` | NOAA global hourly (ISD) | CSV |
 * | `metar:<stations>?from=..&to=..` | METAR reports, Iowa Environmental Mesonet's archive | CSV |
 *
 * `mirror=http://...` takes another server with the same layout.
 */
import { parseTime } from "../earth/time.js";
import { nearest, UsageError } from "../errors.js";
import type { SidecarEntry } from "./grib/sidecar.js";

/** What is to be opened. */
export type Plan =
  | { readonly kind: "zarr"; readonly url: string }
  | {
      readonly kind: "grib";
      readonly files: readonly { readonly url: string; readonly index: string }[];
      /** Of a file's messages, those that were asked for. */
      readonly chosen: (entry: SidecarEntry) => boolean;
    }
  | { readonly kind: "stations"; readonly layout: "ghcn" | "isd" | "metar"; readonly urls: readonly string[] };

export interface Archive {
  readonly name: string;
  readonly about: string;
  readonly home: string;
  readonly licence: string;
  readonly base: string;
  readonly example: string;
  plan(what: string, query: Query, base: string): Plan;
}

type Query = ReadonlyMap<string, string>;

/** Well-known stores of WeatherBench 2 by a short name; others by their path below the bucket. */
const WEATHERBENCH: Readonly<Record<string, string>> = {
  "era5-64x32": "datasets/era5/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr",
  "era5-240x121": "datasets/era5/1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr",
  "climatology-64x32": "datasets/era5-hourly-climatology/1990-2019_6h_64x32_equiangular_conservative.zarr",
  "climatology-240x121":
    "datasets/era5-hourly-climatology/1990-2019_6h_240x121_equiangular_with_poles_conservative.zarr",
};

const listOf = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

/** Steps as `0,6,12` or `0-24-6`, hours. */
function stepsOf(query: Query, name: string): number[] {
  const steps = listOf(query.get("step") ?? "0").flatMap((part) => {
    const range = /^(\d+)-(\d+)-(\d+)$/.exec(part);
    if (!range) return [Number(part)];
    const [from, to, by] = range.slice(1).map(Number);
    return by > 0 ? Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, i) => from + i * by) : [NaN];
  });
  if (steps.length === 0 || steps.some((step) => !Number.isInteger(step) || step < 0))
    throw new UsageError(`${name}: step=${query.get("step")}: write hours as 0,6,12 or 0-24-6`);
  return steps;
}

/** A run's date as YYYYMMDD and its hour as HH. */
function runOf(text: string, name: string): { date: string; hour: string } {
  let iso: string;
  try {
    iso = new Date(parseTime(text)).toISOString();
  } catch {
    throw new UsageError(`${name}:${text}: name the run by its time, as ${name}:2024-01-01T00`);
  }
  return { date: iso.slice(0, 10).replaceAll("-", ""), hour: iso.slice(11, 13) };
}

/** NOAA's inventories: `match=TMP:850 mb,HGT:500 mb,PRMSL`; everything unless told. */
function noaaChoice(query: Query): (entry: SidecarEntry) => boolean {
  const wanted = listOf(query.get("match")).map((each) => each.toLowerCase().split(":"));
  return ({ parameter, level }) =>
    wanted.length === 0 ||
    wanted.some(([p, l]) => p === parameter.toLowerCase() && (l === undefined || l.trim() === level.toLowerCase()));
}

const pad = (n: number, width: number): string => String(n).padStart(width, "0");
const withIndex = (url: string) => ({ url, index: `${url}.idx` });

const zarrBelow = (what: string, base: string): Plan => ({ kind: "zarr", url: `${base}/${what.replace(/\/+$/, "")}` });

export const ARCHIVES: readonly Archive[] = [
  {
    name: "wb2",
    about: "WeatherBench 2: ERA5 on coarse grids, climatology, forecasts of many models",
    home: "https://weatherbench2.readthedocs.io",
    licence: "ERA5: Copernicus; others as the site says",
    base: "https://storage.googleapis.com/weatherbench2",
    example: "wb2:era5-64x32",
    plan: (what, _, base) => zarrBelow(WEATHERBENCH[what] ?? what, base),
  },
  {
    name: "arco",
    about: "ARCO ERA5: hourly, quarter degree, 37 pressure levels, from 1940",
    home: "https://github.com/google-research/arco-era5",
    licence: "Copernicus",
    base: "https://storage.googleapis.com/gcp-public-data-arco-era5",
    example: "arco:era5",
    plan: (what, _, base) => zarrBelow(what === "era5" ? "ar/full_37-1h-0p25deg-chunk-1.zarr-v3" : what, base),
  },
  {
    name: "cmip6",
    about: "CMIP6 climate models, Pangeo's copy",
    home: "https://pangeo-data.github.io/pangeo-cmip6-cloud",
    licence: "by model: CC BY 4.0 or CC BY-SA 4.0",
    base: "https://storage.googleapis.com/cmip6/CMIP6",
    example: "cmip6:CMIP/NCAR/CESM2/historical/r1i1p1f1/Amon/tas/gn/v20190308",
    plan: (what, _, base) => {
      if (what.split("/").length !== 9)
        throw new UsageError(
          `cmip6:${what}: give activity/institution/model/experiment/member/table/variable/grid/version`,
        );
      return zarrBelow(what, base);
    },
  },
  {
    name: "ecmwf",
    about: "ECMWF open data: IFS at a quarter degree, the last few days",
    home: "https://www.ecmwf.int/en/forecasts/datasets/open-data",
    licence: "CC BY 4.0",
    base: "https://data.ecmwf.int/forecasts",
    example: "ecmwf:2026-11-20T00?step=0-24-6&param=2t,msl",
    plan(what, query, base) {
      const { date, hour } = runOf(what, "ecmwf");
      const ensemble = query.get("stream") === "enfo";
      const [stream, type] = ensemble ? ["enfo", "ef"] : [query.get("stream") ?? "oper", "fc"];
      const files = stepsOf(query, "ecmwf").map((step) => {
        const stem = `${base}/${date}/${hour}z/ifs/0p25/${stream}/${date}${hour}0000-${step}h-${stream}-${type}`;
        return { url: `${stem}.grib2`, index: `${stem}.index` };
      });
      const wanted = ["param", "levtype", "levelist", "number", "type"]
        .filter((key) => query.has(key))
        .map((key) => [key, listOf(query.get(key))] as const);
      // surface fields have no level: a list of levels is not meant for them
      const fits = (entry: SidecarEntry): boolean =>
        wanted.every(([key, values]) =>
          entry.keys[key] === undefined ? key === "levelist" : values.includes(entry.keys[key]),
        );
      return { kind: "grib", files, chosen: fits };
    },
  },
  {
    name: "gfs",
    about: "NOAA's Global Forecast System, quarter degree, since 2021",
    home: "https://registry.opendata.aws/noaa-gfs-bdp-pds",
    licence: "public domain",
    base: "https://noaa-gfs-bdp-pds.s3.amazonaws.com",
    example: "gfs:2024-01-01T00?step=0,6&match=TMP:2 m above ground,PRMSL",
    plan(what, query, base) {
      const { date, hour } = runOf(what, "gfs");
      const files = stepsOf(query, "gfs").map((step) =>
        withIndex(`${base}/gfs.${date}/${hour}/atmos/gfs.t${hour}z.pgrb2.0p25.f${pad(step, 3)}`),
      );
      return { kind: "grib", files, chosen: noaaChoice(query) };
    },
  },
  {
    name: "gefs",
    about: "NOAA's Global Ensemble Forecast System, half a degree, 31 members",
    home: "https://registry.opendata.aws/noaa-gefs",
    licence: "public domain",
    base: "https://noaa-gefs-pds.s3.amazonaws.com",
    example: "gefs:2024-01-01T00?step=24&member=0,1,2&match=HGT:500 mb",
    plan(what, query, base) {
      const { date, hour } = runOf(what, "gefs");
      const members = listOf(query.get("member") ?? "0").map(Number);
      const wrong = members.find((m) => !Number.isInteger(m) || m < 0 || m > 30);
      if (wrong !== undefined)
        throw new UsageError(`gefs: member=${query.get("member")}: members are 0 (control) to 30`);
      const files = members.flatMap((m) =>
        stepsOf(query, "gefs").map((step) =>
          withIndex(
            `${base}/gefs.${date}/${hour}/atmos/pgrb2ap5/${m === 0 ? "gec00" : `gep${pad(m, 2)}`}.t${hour}z.pgrb2a.0p50.f${pad(step, 3)}`,
          ),
        ),
      );
      return { kind: "grib", files, chosen: noaaChoice(query) };
    },
  },
  {
    name: "ghcn",
    about: "Global Historical Climatology Network, daily",
    home: "https://registry.opendata.aws/noaa-ghcn",
    licence: "public domain",
    base: "https://noaa-ghcn-pds.s3.amazonaws.com",
    example: "ghcn:USW00094728",
    plan: (what, _, base) => ({
      kind: "stations",
      layout: "ghcn",
      urls: stations(what, "ghcn").map((id) => `${base}/csv/by_station/${id}.csv`),
    }),
  },
  {
    name: "isd",
    about: "NOAA's global hourly observations (Integrated Surface Database)",
    home: "https://www.ncei.noaa.gov/products/land-based-station/integrated-surface-database",
    licence: "public domain",
    base: "https://www.ncei.noaa.gov/data/global-hourly/access",
    example: "isd:72494023234?year=2020,2021",
    plan(what, query, base) {
      const years = listOf(query.get("year"));
      if (years.length === 0 || years.some((year) => !/^\d{4}$/.test(year)))
        throw new UsageError(`isd:${what}: name the years, as isd:${what}?year=2020,2021`);
      const urls = stations(what, "isd").flatMap((id) => years.map((year) => `${base}/${year}/${id}.csv`));
      return { kind: "stations", layout: "isd", urls };
    },
  },
  {
    name: "metar",
    about: "METAR reports of airports, Iowa Environmental Mesonet's archive",
    home: "https://mesonet.agron.iastate.edu/request/download.phtml",
    licence: "public domain reports",
    base: "https://mesonet.agron.iastate.edu/cgi-bin/request/asos.py",
    example: "metar:KSFO,EGLL?from=2020-01-01&to=2020-02-01",
    plan(what, query, base) {
      const [from, to] = ["from", "to"].map((key) => {
        if (!query.has(key)) throw new UsageError(`metar:${what}: name the days, as ?from=2020-01-01&to=2020-02-01`);
        return new Date(parseTime(query.get(key)!)).toISOString().slice(0, 10).split("-").map(Number);
      });
      const asked = [
        ...stations(what, "metar").map((id) => `station=${id}`),
        "data=all",
        ...["year", "month", "day"].map((part, i) => `${part}1=${from[i]}&${part}2=${to[i]}`),
        "tz=Etc%2FUTC&format=onlycomma&latlon=yes&elev=yes&missing=empty&trace=0.0001&direct=no",
        "report_type=3&report_type=4",
      ].join("&");
      return { kind: "stations", layout: "metar", urls: [`${base}?${asked}`] };
    },
  },
];

function stations(what: string, name: string): string[] {
  const ids = listOf(what);
  if (ids.length === 0 || ids.some((id) => !/^[A-Za-z0-9-]+$/.test(id)))
    throw new UsageError(`${name}:${what}: name stations by their identifiers, separated by commas`);
  return ids;
}

/** What a location names if it is an archive's; undefined where it is a path or an address. */
export function resolveArchive(location: string): Plan | undefined {
  const match = /^([a-z][a-z0-9]+):(?!\/\/)([^?]*)(?:\?(.*))?$/s.exec(location);
  if (!match) return undefined;
  const [, name, what, asked = ""] = match;
  const archive = ARCHIVES.find((each) => each.name === name);
  if (!archive) {
    const near = nearest(
      name,
      ARCHIVES.map((each) => each.name),
    );
    // one letter is a drive of Windows, which the pattern leaves out; anything else was meant as an archive
    throw new UsageError(
      `there is no archive '${name}'${near ? `; did you mean '${near}'?` : ""} There are ${ARCHIVES.map((each) => each.name).join(", ")}`,
    );
  }
  const query = new Map(
    asked
      .split("&")
      .filter(Boolean)
      .map((part): [string, string] => {
        const equals = part.indexOf("=");
        if (equals < 1) throw new UsageError(`${location}: '${part}' is not key=value`);
        return [part.slice(0, equals), decodeURIComponent(part.slice(equals + 1).replaceAll("+", " "))];
      }),
  );
  if (what === "") throw new UsageError(`${location}: say what, as ${archive.example}`);
  return archive.plan(what, query, (query.get("mirror") ?? archive.base).replace(/\/+$/, ""));
}
