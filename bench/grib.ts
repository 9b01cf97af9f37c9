/**
 * Decoding GRIB 2 against ecCodes, in millions of points a second: one quarter-degree field (1440 x 721, a smooth wave
 * with correlated noise) in memory, best of many runs on both sides, taken in turns. ecCodes is called from Python
 * (`codes_get_array` on a fresh clone of the message), whose own cost is small against a million points; complex packing
 * is written by ecCodes' `grib_set`, so those rows need it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeField } from "../src/data/grib/decode.js";
import { encodeMessage } from "../src/data/grib/encode-grib2.js";
import { indexGrib } from "../src/data/grib/scan.js";
import { memorySource } from "../src/data/byte-source.js";
import { random } from "../src/tensor/random.js";
import { type BenchRow, row } from "./row.js";

const [NI, NJ] = [1440, 721];
const ROUNDS = 4;
const RUNS = 20;

/** Name, bits of a value, and ecCodes' packing where our encoder does not have it. */
const CASES = [
  { name: "simple, 16 bits", bits: 16, packing: "simple" },
  { name: "simple, 12 bits", bits: 12, packing: "simple" },
  { name: "CCSDS, 16 bits", bits: 16, packing: "ccsds" },
  { name: "complex", bits: 16, packing: "grid_complex" },
  { name: "complex, spatial differencing", bits: 16, packing: "grid_complex_spatial_differencing" },
] as const;

const PYTHON = `
import sys, time, eccodes
with open(sys.argv[1], "rb") as file:
    message = eccodes.codes_grib_new_from_file(file)
best = 1e9
for _ in range(int(sys.argv[2])):
    clone = eccodes.codes_clone(message)
    begin = time.perf_counter()
    values = eccodes.codes_get_array(clone, "values")
    best = min(best, time.perf_counter() - begin)
    eccodes.codes_release(clone)
print(len(values) / best / 1e6)
`;

export async function gribRows(): Promise<BenchRow[]> {
  const python = ["python3", "/usr/bin/python3"].find((command) => runs(command, ["-c", "import eccodes"]));
  const haveTools = runs("grib_set", ["-V"]);
  const values = testField();
  const grid = {
    latitude: Array.from({ length: NJ }, (_, j) => 90 - j / 4),
    longitude: Array.from({ length: NI }, (_, i) => i / 4),
  };
  const folder = mkdtempSync(join(tmpdir(), "foehn-bench-"));
  try {
    const rows: BenchRow[] = [];
    for (const { name, bits, packing } of CASES) {
      const path = join(folder, `${packing}-${bits}.grib2`);
      const own = packing === "simple" || packing === "ccsds";
      if (!own && !haveTools) {
        console.error(`GRIB 2 ${name} is left out: ecCodes' grib_set, which writes the field, is not installed`);
        continue;
      }
      const field = {
        ...grid,
        parameter: "t",
        values,
        time: Date.UTC(2024, 0, 1),
        level: { type: "isobaricInhPa", value: 850 },
      };
      writeFileSync(path, encodeMessage(field, { packing: own ? packing : "simple", bits }));
      if (!own)
        execFileSync("grib_set", ["-r", "-s", `packingType=${packing}`, path, `${path}.packed`], { stdio: "ignore" });
      const file = own ? path : `${path}.packed`;
      let [ours, yardstick] = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        ours = Math.max(ours, await decodeSpeed(new Uint8Array(readFileSync(file))));
        if (python)
          yardstick = Math.max(
            yardstick,
            Number(execFileSync(python, ["-c", PYTHON, file, String(RUNS)], { encoding: "utf8" })),
          );
      }
      rows.push(row(`decode GRIB 2, ${name}`, "Mpoints/s", "more", ours, python ? yardstick : null, 1));
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The best of some runs, after as many to warm up; the array is reused, as a dataset's reader does. */
async function decodeSpeed(bytes: Uint8Array): Promise<number> {
  const source = memorySource(bytes);
  const [field] = (await indexGrib(source, "bench.grib2")).fields;
  const into = new Float64Array(field.grid.points);
  let best = Infinity;
  for (let run = 0; run < 2 * RUNS; run++) {
    const begin = performance.now();
    await decodeField(source, field, { into });
    best = Math.min(best, performance.now() - begin);
  }
  return field.grid.points / best / 1000;
}

/** Temperature-like: a wave, and noise that a running mean along rows has smoothed. */
function testField(): Float64Array {
  const numbers = random(1);
  const out = new Float64Array(NI * NJ);
  let noise = 0;
  for (let p = 0; p < out.length; p++) {
    noise = 0.97 * noise + 0.1 * numbers.normal();
    const [j, i] = [Math.floor(p / NI), p % NI];
    out[p] = 280 - 40 * Math.cos((Math.PI * j) / NJ) ** 2 + 5 * Math.sin((6 * Math.PI * i) / NI) + noise;
  }
  return out;
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
