/** Maps: a middling start, mean errors by cell, the best and worst start, and where one forecast is worse than another. */
import { digits } from "../table.js";
import type { Verification } from "../verify.js";
import { type Figure, fileName, short } from "./figures.js";
import { levelsFor, map, type MapKind } from "./map.js";
import { prettyUnits } from "./svg.js";

const gridOf = ({ latitudes, longitudes, stations }: Verification) => ({
  latitudes,
  longitudes,
  scattered: stations !== undefined,
});

/** A middling start's forecast and truth, on one scale, and its error. */
export function caseFigures(result: Verification, channel: number, lead: number): Figure[] {
  const { meta } = result;
  const { name } = meta.variables[channel];
  const units = prettyUnits(meta.variables[channel].units);
  const hours = meta.leadHours[lead];
  const grid = { ...gridOf(result), units };
  const figures: Figure[] = [];
  const middling = result.cases.find((c) => c.channel === channel && c.lead === lead)?.cases[0];
  if (middling) {
    const { forecast, truth, start, valid, rmse } = middling;
    const levels = levelsFor("value", forecast, truth);
    const error = difference(forecast, truth);
    figures.push(
      {
        name: fileName("map", name, `${hours}h`, "forecast"),
        svg: map({ title: `Forecast, ${hours} h`, subtitle: `from ${short(start)}`, field: forecast, levels, ...grid }),
      },
      {
        name: fileName("map", name, `${hours}h`, "truth"),
        svg: map({ title: "Truth", subtitle: `at ${short(valid)}`, field: truth, levels, ...grid }),
      },
      {
        name: fileName("map", name, `${hours}h`, "error"),
        svg: map({
          title: "Error",
          subtitle: `forecast minus truth; RMSE ${digits(rmse)} ${units}`,
          field: error,
          levels: levelsFor("difference", error),
          ...grid,
        }),
      },
    );
  }
  return figures;
}

/** Bias and RMSE of each cell over all starts, and the errors of the best and the worst start on one scale. */
export function errorFigures(result: Verification, channel: number, lead: number): Figure[] {
  const { meta } = result;
  const { name } = meta.variables[channel];
  const units = prettyUnits(meta.variables[channel].units);
  const hours = `${meta.leadHours[lead]}h`;
  const common = { ...gridOf(result), units, width: 290 };
  const errors = result.cells.of(channel, lead);
  const [bias, rmse] = [errors.bias(), errors.rmse()];
  const found = result.cases.find((c) => c.channel === channel && c.lead === lead);
  const extremes = found?.cases.filter((c) => c.kind !== "middling") ?? [];
  const extremeErrors = extremes.map((c) => difference(c.forecast, c.truth));
  const extremeLevels = levelsFor("difference", ...extremeErrors);
  const averages: [string, string, Float32Array, MapKind][] = [
    ["bias", "Bias", bias, "difference"],
    ["rmse", "RMSE", rmse, "size"],
  ];
  return [
    ...averages.map(([key, title, field, kind]) => ({
      name: fileName("map", name, hours, key),
      svg: map({
        title: `${title}, ${meta.leadHours[lead]} h`,
        subtitle: `over ${meta.starts} starts`,
        field,
        levels: levelsFor(kind, field),
        ...common,
      }),
    })),
    ...extremes.map((c, i) => ({
      name: fileName("map", name, hours, c.kind),
      svg: map({
        title: `Error of the ${c.kind} start`,
        subtitle: `from ${short(c.start)}; RMSE ${digits(c.rmse)} ${units}`,
        field: extremeErrors[i],
        levels: extremeLevels,
        ...common,
      }),
    })),
  ];
}

/** Where the other forecast of a report of two has the smaller error, and where cases became wrong. */
export function rivalFigures(result: Verification, channel: number, lead: number): Figure[] {
  const { rival, meta, cells } = result;
  if (!rival) return [];
  const { name, units } = meta.variables[channel];
  const hours = meta.leadHours[lead];
  const [c, l] = [rival.channelOf(name), rival.leadOf(hours)];
  if (c < 0 || l < 0 || !rival.cells.keeps(l)) return [];
  const change = difference(cells.of(channel, lead).rmse(), rival.cells.of(c, l).rmse());
  const told = change.filter((x) => x === x);
  const worse = told.filter((x) => x > 0).length / Math.max(1, told.length);
  const flips = rival.update?.find((u) => u.variable === name && u.lead_hours === hours);
  const common = { ...gridOf(result), width: 360 };
  return [
    {
      name: fileName("map", name, `${hours}h`, "rmse-change"),
      svg: map({
        title: `${name}, ${hours} h: RMSE minus ${rival.name}'s`,
        subtitle: `red: worse here (${(100 * worse).toFixed(0)} % of ${result.stations ? "stations" : "cells"})`,
        field: change,
        levels: levelsFor("difference", change),
        units: prettyUnits(units),
        ...common,
      }),
    },
    ...(flips
      ? [
          {
            name: fileName("map", name, `${hours}h`, "flips"),
            svg: map({
              title: `${name}, ${hours} h: became wrong`,
              subtitle: `error passed ${digits(flips.tolerance)} ${prettyUnits(units)} in ${(100 * flips.negative).toFixed(1)} % of cases; fell below in ${(100 * flips.positive).toFixed(1)} %`,
              field: Float32Array.from(flips.negativeByCell, (x) => 100 * x),
              levels: levelsFor(
                "size",
                Float32Array.from(flips.negativeByCell, (x) => 100 * x),
              ),
              units: "%",
              ...common,
            }),
          },
        ]
      : []),
  ];
}

const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - b[i]);
