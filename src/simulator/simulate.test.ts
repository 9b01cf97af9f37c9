import { describe, expect, it } from "vitest";
import { memoryDataset, variable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import { checkCo2, co2At, growingCo2, parseCo2Table } from "./co2.js";
import type { Atmosphere } from "./atmosphere.js";
import { simulationConfig } from "./config.js";
import { describeGrowth, errorGrowth, ensemble } from "./experiments.js";
import { byOwner, observe, observingNetwork, USUAL_FLAWS } from "./network.js";
import {
  bracket,
  completeColumn,
  geopotentialAt,
  newColumn,
  seaLevelPressure,
  temperatureAt,
} from "./pressure-levels.js";
import { primitiveModel } from "./primitive.js";
import { startAtRest } from "./dry.js";
import { EARTH } from "./planet.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import { landFrom, orographyFrom } from "./surface-file.js";
import { decodeRestart, encodeRestart, perturbed, restepped } from "./restart.js";
import { atmosphere, simulate, simulateDataset, type Snapshot } from "./simulate.js";
import { BlowUpError } from "./stability.js";
import { sphericalTransform } from "./transform.js";
import { coarsen, coarseTwin, subgridTendency } from "./twin.js";

const SHORT = { truncation: 10, levels: 3, days: 2, spinupDays: 1, everyHours: 12, seed: 4 } as const;

describe("a simulation as a dataset", () => {
  it("has coordinates, standard names and units, and the same numbers for the same seed", async () => {
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((seed) => simulateDataset({ ...SHORT, seed, pressureLevels: [500, 850] })),
    );
    expect(a.dims).toMatchObject({ time: 4, level: 2, latitude: 16, longitude: 32 });
    expect(variable(a, "time").attrs).toMatchObject({ units: "hours since 2001-01-01", standard_name: "time" });
    expect([...(await variable(a, "time").read()).data]).toEqual([0, 12, 24, 36]);
    expect(variable(a, "geopotential").attrs).toMatchObject({ standard_name: "geopotential", units: "m2 s-2" });
    const [x, y, z] = await Promise.all([a, b, c].map(async (d) => (await variable(d, "temperature").read()).data));
    expect(x).toEqual(y);
    expect(x).not.toEqual(z);
    for (const value of x) expect(value > 180 && value < 330).toBe(true);
  });

  it.each(["barotropic", "shallow-water", "moist"] as const)("the %s model gives finite weather", async (model) => {
    const data = await simulateDataset({
      ...SHORT,
      model,
      truncation: 15,
      ...(model === "moist" ? { levels: 5 } : {}),
    });
    for (const { name } of [...data.variables.values()].filter((v) => v.dims.includes("latitude") && v.dims.length > 1))
      expect((await variable(data, name).read()).data.every(Number.isFinite as never), name).toBe(true);
  });

  it("rain is that since the output before: none at the first, however long the spin-up", async () => {
    const rain: number[] = [];
    for await (const { fields } of simulate({ ...SHORT, model: "moist", truncation: 15, levels: 5, spinupDays: 2 }))
      rain.push(Math.max(...fields["total_precipitation"]));
    expect(rain[0]).toBe(0);
    expect(Math.min(...rain.slice(1))).toBeGreaterThan(0.1);
  });

  it("a run cut in two and written to a restart file between equals an unbroken one", async () => {
    for (const model of ["dry", "shallow-water", "moist"] as const) {
      const config = { ...SHORT, model, ...(model === "moist" ? { truncation: 15, levels: 5 } : {}) };
      const whole: Snapshot[] = [];
      let bytes: Uint8Array | undefined;
      for await (const snapshot of simulate(config, {
        onState: (saved) => {
          if (whole.length === 2) bytes = encodeRestart(simulationConfig(config), saved());
        },
      }))
        whole.push(snapshot);
      const { config: again, saved } = decodeRestart(bytes!);
      expect(again).toEqual(simulationConfig(config));
      const rest: Snapshot[] = [];
      for await (const snapshot of simulate(again, { restart: saved })) rest.push(snapshot);
      expect(rest).toEqual(whole.slice(2));
    }
  });

  it("refuses a restart of another shape", async () => {
    const saved = atmosphere(simulationConfig(SHORT)).save();
    const run = simulate({ ...SHORT, truncation: 15 }, { restart: saved });
    await expect(run.next()).rejects.toThrow(/go on with the model, truncation and levels/);
  });
});

describe("bad input is refused before the run", () => {
  it.each([
    [{ truncaton: 21 }, /did you mean 'truncation'/],
    [{ model: "wet" }, /take one of barotropic, shallow-water, dry, moist/],
    [{ truncation: 21.5 }, /whole number/],
    [{ step: 7200 }, /Coriolis force allows/],
    [{ step: 3600, truncation: 42 }, /unstable at T42.* take \d+ s or less/],
    [{ step: 1000 }, /does not divide the output interval/],
    [{ days: -1 }, /at least 0/],
    [{ start: "next week" }, /YYYY-MM-DD/],
    [{ variables: ["temprature"] }, /did you mean 'temperature'/],
    [{ levels: 1 }, /2 to 100/],
    [{ levels: [0, 0.7, 0.5, 1] }, /rise from 0 to 1/],
    [{ pressureLevels: [50_000] }, /hPa/],
    [
      {
        model: "moist",
        start: "1860-01-01",
        co2: [
          [1850, 285],
          [1900, 300],
        ],
      },
      /no value between 1850 and 1900/,
    ],
    [{ model: "moist", co2: 0 }, /10 to 20000 ppm/],
    [{ model: "mosit" }, /did you mean 'moist'/],
  ])("%j", (given, message) => {
    expect(() => simulationConfig(given as never)).toThrow(message);
  });

  it("an orography on the wrong grid", async () => {
    await expect(simulateDataset({ ...SHORT, orography: new Float64Array(100) })).rejects.toThrow(/regrid it/);
  });

  it("CO2 tables are interpolated and held at their ends", () => {
    const path = growingCo2(2000, 70);
    checkCo2(path);
    expect(co2At(path, 2070)).toBeCloseTo(280 * 1.01 ** 70, 9); // doubled
    expect(co2At(path, 1900)).toBe(280);
    expect(
      co2At(
        [
          [2000, 300],
          [2001, 310],
        ],
        2000.5,
      ),
    ).toBe(305);
  });
});

describe("what a user brings", () => {
  it("a table of CO2 is read by its columns, its holes refused", () => {
    expect(parseCo2Table("time,CH4,CO2\n2000.5,1.7,368\n2001.5,1.7,370\n")).toEqual([
      [2000.5, 368],
      [2001.5, 370],
    ]);
    const hole = parseCo2Table("year,CO2\n1750,278\n1850,285\n1851,286\n");
    expect(() => checkCo2(hole)).toThrow(/no value between 1750 and 1850/);
    expect(() => checkCo2(hole, [1800, 1801])).toThrow(/no value between 1750 and 1850/);
    checkCo2(hole, [1850.5, 1999]);
    expect(() => parseCo2Table("year,CO2\n2000,368\n2001,\n")).toThrow(/row 2/);
    expect(() => parseCo2Table("a,b\n1,2\n", "x.csv")).toThrow(/x.csv: has columns a, b/);
  });

  it("mountains come from any global grid, the sea as 0", async () => {
    const latitudes = Float64Array.from({ length: 91 }, (_, j) => 90 - 2 * j);
    const longitudes = Float64Array.from({ length: 180 }, (_, i) => 2 * i);
    const values = new Float32Array(91 * 180).fill(Number.NaN);
    for (let i = 0; i < 180; i++) for (let j = 20; j < 30; j++) values[j * 180 + i] = 1000; // 50 to 30 N
    const file = memoryDataset({
      latitude: { dims: ["latitude"], data: ndarray("float64", [91], latitudes) },
      longitude: { dims: ["longitude"], data: ndarray("float64", [180], longitudes) },
      z: {
        dims: ["latitude", "longitude"],
        data: ndarray("float32", [91, 180], values),
        attrs: { standard_name: "surface_altitude" },
      },
    });
    const heights = await orographyFrom(file, { truncation: 10 });
    const { nlon, latitudes: rows } = sphericalTransform(10);
    rows.forEach((latitude, j) => {
      if (latitude > 36 && latitude < 45) expect(heights[j * nlon + 3]).toBe(1000);
      if (latitude < 20) expect(heights[j * nlon + 3]).toBe(0);
    });
  });

  /** A global map of one value in the given units. */
  const plain = (units: string, value: number) =>
    memoryDataset({
      latitude: {
        dims: ["latitude"],
        data: ndarray(
          "float64",
          [37],
          Float64Array.from({ length: 37 }, (_, j) => 90 - 5 * j),
        ),
      },
      longitude: {
        dims: ["longitude"],
        data: ndarray(
          "float64",
          [72],
          Float64Array.from({ length: 72 }, (_, i) => 5 * i),
        ),
      },
      z: {
        dims: ["latitude", "longitude"],
        data: ndarray("float32", [37, 72], new Float32Array(37 * 72).fill(value)),
        attrs: { units },
      },
    });
  const asked = { truncation: 10, name: "z" };

  it("heights in another unit are no heights, a geopotential is divided by g", async () => {
    await expect(orographyFrom(plain("degC", 20), asked)).rejects.toThrow(/'z' is in degC, not in metres/);
    for (const units of ["m2 s-2", "m**2 s**-2", "m^2/s^2", "J kg-1"])
      expect((await orographyFrom(plain(units, 9800), asked))[7] / (9800 / EARTH.gravity)).toBeCloseTo(1, 6);
    expect((await orographyFrom(plain("m", 500), asked))[7]).toBe(500);
  });

  it("land is a share, from 0 to 1 or in per cent", async () => {
    expect((await landFrom(plain("1", 1), asked))[7]).toBe(1);
    expect((await landFrom(plain("%", 25), asked))[7]).toBe(0.25);
    await expect(landFrom(plain("1", 4), asked)).rejects.toThrow(/'z' reaches from 4 to 4: give the share of land/);
    await expect(landFrom(plain("1", 1), { truncation: 10 })).rejects.toThrow(/land_area_fraction or land_binary_mask/);
  });

  it("a run keeps its maps in restart files", async () => {
    const { points } = sphericalTransform(10);
    const maps = { orography: new Float64Array(points).fill(100), land: new Float64Array(points).fill(0.5) };
    const config = simulationConfig({ ...SHORT, model: "moist", ...maps });
    const air = atmosphere(config);
    expect([...air.land!]).toEqual([...maps.land]);
    const file = decodeRestart(encodeRestart(config, air.save()));
    expect(file.config).toEqual(config);
    expect(file.saved.arrays).toEqual(air.save().arrays);
    const wrong = { ...SHORT, model: "moist", land: new Float64Array(points).fill(2) } as const;
    await expect(simulateDataset(wrong)).rejects.toThrow(/shares from 0 \(sea\) to 1/);
  });
});

describe("a run that blows up", () => {
  it("says where and hands back the last sound state", async () => {
    const air = atmosphere(simulationConfig(SHORT));
    const restart = perturbed(air.save(), { seed: 1, amplitude: 1000 });
    const run = simulateDataset(SHORT, { restart });
    const error = await run.then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(BlowUpError);
    expect((error as BlowUpError).message).toMatch(/blew up in step \d+ .* at level \d/);
    expect((error as BlowUpError).lastGood?.arrays["now"].every(Number.isFinite)).toBe(true);
  });
});

it.each(["2001-01-01", "2001-04-01"])(
  "the moist model's own step carries the convection of its first days, from %s",
  (start) => {
    const air = atmosphere(simulationConfig({ model: "moist", truncation: 15, start }));
    while (air.steps * air.stepSeconds < 4 * 86_400) air.step();
    expect(air.fastest).toBeLessThan(150);
  },
);

describe("a shorter step", () => {
  it("goes on from a state of a longer one along the same weather", () => {
    const config = simulationConfig({ ...SHORT, truncation: 15, step: 2700 });
    const day = (step: number): number => 86_400 / step;
    const field = (air: Atmosphere): Float32Array => air.fields(["temperature"], [500])["temperature"];
    const long = atmosphere(config);
    for (let s = 0; s < 12 * day(2700); s++) long.step();
    const saved = long.save();
    const start = field(long);
    const short = atmosphere({ ...config, step: 1350 });
    short.restore(restepped(saved, { from: 2700, to: 1350 }));
    expect(short.steps).toBe(12 * day(1350));
    for (let s = 0; s < day(2700) / 2; s++) long.step();
    for (let s = 0; s < day(1350) / 2; s++) short.step();
    const [a, b] = [field(long), field(short)];
    const apart = (x: Float32Array): number => Math.sqrt(a.reduce((sum, t, p) => sum + (t - x[p]) ** 2, 0) / a.length);
    // Time differencing alone sets half a day apart by a twentieth of what the weather itself did.
    expect(apart(b)).toBeLessThan(0.1 * apart(start));
    expect(() => restepped(saved, { from: 2700, to: 1999 })).toThrow(/lies between two steps of 1999 s/);
  });
});

describe("pressure levels", () => {
  it("an atmosphere of one lapse rate has its analytic heights and temperatures everywhere", () => {
    const levels = sigmaLevels(defaultHalfLevels(20));
    const setting = { levels, gasConstant: 287, gravity: 9.8 };
    const column = newColumn(levels);
    const exponent = (287 * 0.0065) / 9.8;
    column.surfacePressure = 95_000;
    column.surfaceGeopotential = 9.8 * 500;
    const ground = 285;
    for (let k = 0; k < 20; k++) column.temperature[k] = ground * levels.full[k] ** exponent;
    completeColumn(setting, column);
    const logSigma = levels.full.map(Math.log);
    const where = { above: 0, below: 0, weight: 0 };
    for (const p of [20_000, 50_000, 85_000, 94_000, 100_000]) {
      const log = Math.log(p / column.surfacePressure);
      bracket(levels, logSigma, log, where);
      const T = ground * (p / 95_000) ** exponent;
      expect(Math.abs(temperatureAt(setting, column, logSigma, log, where) - T)).toBeLessThan(0.15);
      const z = 500 + (ground / 0.0065) * (1 - (p / 95_000) ** exponent);
      expect(Math.abs(geopotentialAt(setting, column, logSigma, log, where) / 9.8 - z)).toBeLessThan(15);
    }
    const sea = 95_000 * (1 + (0.0065 * 500) / ground) ** (1 / exponent);
    expect(seaLevelPressure(setting, column) / sea).toBeCloseTo(1, 4);
  });
});

describe("experiments", () => {
  it("members of an ensemble begin together and part", async () => {
    const members: number[][] = [[], []];
    for await (const { member, snapshot } of ensemble({ ...SHORT, truncation: 15 }, { members: 2, amplitude: 1e-4 }))
      members[member].push(snapshot.fields["temperature"][100]);
    const apart = members[0].map((t, i) => Math.abs(t - members[1][i]));
    expect(apart[0]).toBeLessThan(0.1);
    expect(apart[0]).not.toBe(apart[3]);
  });

  it("measures how two runs part", async () => {
    const growth = await errorGrowth({ truncation: 10, levels: 3, spinupDays: 5 }, { days: 4, amplitude: 1e-5 });
    expect(growth.rms).toHaveLength(4);
    expect(growth.rms[0]).toBeGreaterThan(0);
    expect(growth.saturation).toBeGreaterThan(0);
    expect(describeGrowth(growth)).toMatch(/too few days .* % of saturation at most$/);
    await expect(errorGrowth({ truncation: 10 }, { days: 1 })).rejects.toThrow(/from 2/);
    await expect(errorGrowth({ truncation: 10 }, { amplitude: 0 })).rejects.toThrow(/more than 0/);
  });

  it("a coarse twin keeps what both resolve and loses the rest", async () => {
    const [fine, coarse] = [sphericalTransform(21), sphericalTransform(10)];
    const field = (t: typeof fine, sharp: number): Float32Array =>
      Float32Array.from({ length: t.points }, (_, p) => {
        const lambda = (2 * Math.PI * (p % t.nlon)) / t.nlon;
        const c = Math.sqrt(1 - t.mu[Math.floor(p / t.nlon)] ** 2);
        return 10 + c ** 3 * Math.cos(3 * lambda) + sharp * c ** 15 * Math.cos(15 * lambda);
      });
    const twin = coarsen(fine, coarse, field(fine, 1));
    field(coarse, 0).forEach((x, i) => expect(twin[i]).toBeCloseTo(x, 5));
    const dataset = await simulateDataset({ ...SHORT, truncation: 21, pressureLevels: [500] });
    const small = coarseTwin(dataset, { coarse: 10 });
    expect(small.dims).toMatchObject({ latitude: 16, longitude: 32, time: 4 });
    expect(() => coarseTwin(dataset, { coarse: 21 })).toThrow(/smaller/);
    const whole = await variable(small, "temperature").read();
    const part = await variable(small, "temperature").read({ time: 2, level: 0, latitude: { start: 4, stop: 6 } });
    expect(part.shape).toEqual([2, 32]);
    expect(part.data).toEqual(whole.data.slice((2 * 16 + 4) * 32, (2 * 16 + 6) * 32));
  });

  it("a twin that resolves as much misses nothing", () => {
    const options = { truncation: 10, halfLevels: defaultHalfLevels(3), step: 1800 };
    const truth = primitiveModel(options);
    startAtRest(truth, { seed: 1 });
    const { tendency } = subgridTendency(truth, options, { seconds: 3600 });
    expect(Math.max(...tendency.map(Math.abs))).toBe(0);
  });
});

describe("a synthetic observing network", () => {
  /** A world whose temperature is its latitude plus its longitude's cosine. */
  const world = () => {
    const latitudes = Float64Array.from({ length: 37 }, (_, j) => 90 - 5 * j);
    const longitudes = Float64Array.from({ length: 72 }, (_, i) => 5 * i);
    const times = 200;
    const data = new Float32Array(times * 37 * 72);
    for (let t = 0; t < times; t++)
      for (let j = 0; j < 37; j++) for (let i = 0; i < 72; i++) data[(t * 37 + j) * 72 + i] = 280 + 0.1 * latitudes[j];
    return memoryDataset({
      time: {
        dims: ["time"],
        data: ndarray(
          "float64",
          [times],
          Float64Array.from({ length: times }, (_, i) => 6 * i),
        ),
      },
      latitude: { dims: ["latitude"], data: ndarray("float64", [37], latitudes) },
      longitude: { dims: ["longitude"], data: ndarray("float64", [72], longitudes) },
      "2m_temperature": {
        dims: ["time", "latitude", "longitude"],
        data: ndarray("float32", [times, 37, 72], data),
        attrs: { units: "K" },
      },
    });
  };

  it("reports the field with its station's height, bias, noise and gaps", async () => {
    const stations = observingNetwork({ count: 30, seed: 3, owners: ["a", "b"] });
    const seen = await observe(world(), stations, { seed: 3 });
    const { data, shape } = await variable(seen, "2m_temperature").read();
    expect(shape).toEqual([200, 30]);
    let missing = 0;
    stations.forEach((station, s) => {
      const readings = Array.from({ length: 200 }, (_, t) => Number(data[t * 30 + s]));
      missing += readings.filter(Number.isNaN).length;
      const sound = readings.filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
      const median = sound[Math.floor(sound.length / 2)];
      const expected =
        280 + 0.1 * station.latitude - 0.0065 * station.elevationMismatch + station.bias["2m_temperature"];
      // The median of 190 readings with noise 0.2 K is good to 0.1 K.
      expect(Math.abs(median - expected)).toBeLessThan(0.1);
    });
    expect(missing / 6000).toBeGreaterThan(0.005);
    expect(missing / 6000).toBeLessThan(0.08);
    const owned = byOwner(stations);
    expect([...owned.values()].reduce((sum, list) => sum + list.length, 0)).toBe(30);
    expect(owned.size).toBe(2);
  });

  it("is the same for the same seed, and clusters like people where asked", () => {
    const network = (density: "uniform" | "population") => observingNetwork({ count: 300, seed: 1, density });
    expect(network("population")).toEqual(network("population"));
    const inEurope = (list: ReturnType<typeof network>): number =>
      list.filter((s) => s.latitude > 35 && s.latitude < 65 && (s.longitude < 25 || s.longitude > 350)).length;
    expect(inEurope(network("population"))).toBeGreaterThan(3 * inEurope(network("uniform")));
  });

  it("refuses a density that is nowhere above zero", () => {
    expect(() => observingNetwork({ count: 1, seed: 1, density: () => 0 })).toThrow(/leaves no room/);
    expect(USUAL_FLAWS.gaps.share).toBeLessThan(1);
  });
});
