/**
 * Anomaly correlation coefficient: how well the departures from climatology match, whatever their mean square. The field uses
 * one name for several numbers; each here carries the name of the code that computes it so. Primes: minus climatology.
 */
import { FA, FAFA, FAOA, N, OA, OAOA, type Score, UFA, UOA, W } from "./sums.js";

const ratio = (s: ArrayLike<number>) => s[FAOA] / Math.sqrt(s[FAFA] * s[OAOA]);

/** Each start's correlation, then their mean. */
export const accWb2: Score = {
  name: "acc:wb2",
  formula: "mean_t (<f'o'> / sqrt(<f'^2><o'^2>))",
  units: "1",
  better: "high",
  source: "WeatherBench 2 `ACC`",
  over: "each",
  needsClimatology: true,
  value: ratio,
};

/** One correlation from the sums over every start. (ChaosBench's is this with the cell weights squared.) */
export const accWbx: Score = {
  ...accWb2,
  name: "acc:wbx",
  formula: "mean_t <f'o'> / sqrt(mean_t <f'^2> mean_t <o'^2>)",
  source: "WeatherBench-X `ACC`",
  over: "all",
};

/**
 * The unweighted mean anomaly of all cells and starts is taken off first. The original does so for each batch, so that its value
 * depends on the batch size; here the batch is everything.
 */
export const accClimateLearn: Score = {
  ...accWb2,
  name: "acc:climatelearn",
  formula: "Σw(f' - f'm)(o' - o'm) / sqrt(Σw(f' - f'm)^2 Σw(o' - o'm)^2), m the unweighted mean",
  source: "ClimateLearn, ClimaX and Stormer `lat_acc`",
  over: "all",
  value: (s) => {
    const f = s[UFA] / s[N];
    const o = s[UOA] / s[N];
    // Σw(f'-a)(o'-b) = Σwf'o' - aΣwo' - bΣwf' + abΣw
    const product = s[FAOA] - f * s[OA] - o * s[FA] + f * o * s[W];
    const forecast = s[FAFA] - 2 * f * s[FA] + f * f * s[W];
    const truth = s[OAOA] - 2 * o * s[OA] + o * o * s[W];
    return product / Math.sqrt(forecast * truth);
  },
};
