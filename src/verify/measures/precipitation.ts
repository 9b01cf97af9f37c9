/** SEEPS for a verification: the climate of wet and dry comes from the training period, cell by cell. */
import { conversion } from "../../earth/units.js";
import { FoehnError } from "../../errors.js";
import { seepsSums } from "../scores/seeps.js";
import type { ChannelContext, Family } from "./measure.js";

/** A depth of water in mm (over a day, for rates) in the variable's units; undefined where they measure something else. */
export function millimetres(
  mm: number,
  { units, quantity }: Pick<ChannelContext, "units" | "quantity">,
): number | undefined {
  if (!quantity?.water || quantity.kind === "state") return undefined;
  const from = quantity.kind === "rate" ? ["mm day-1", "kg m-2 day-1"] : ["mm", "kg m-2"];
  for (const unit of from)
    try {
      const { scale, offset } = conversion(unit, units);
      return mm * scale + offset;
    } catch (error) {
      if (!(error instanceof FoehnError)) throw error; // they measure different things: the next one
    }
  return undefined;
}

/** Up to this much counts as dry: 0.25 mm, SEEPS's own limit for a day. */
const DRY = 0.25;

export const seepsFamily: Family = {
  names: ["seeps"],
  form: "seeps",
  title: () => "SEEPS (dry, light or heavy; 0 perfect, 1 no skill)",
  make({ name }, context) {
    const limit = millimetres(DRY, context);
    if (limit === undefined) return `'${name}' is a score of precipitation`;
    const dryUpTo = Math.fround(limit); // as the fields, so that what equals the limit is dry
    return {
      measure: {
        key: "seeps",
        width: 2,
        add(places, { forecast, truth, weights }) {
          const { sum, total } = seepsSums(forecast, truth, weights, context.wetClimate(dryUpTo), { dryUpTo });
          places[0] += sum;
          places[1] += total;
        },
      },
      score: (at) => ({
        name,
        formula: `mean cost over cells that are dry (<= ${DRY} mm) in 10 to 85 % of the training period`,
        units: "1",
        better: "low",
        source: "Rodwell, Richardson, Hewson and Haiden 2010, QJRMS 136, eq. 15",
        over: "all",
        value: (row) => row[at] / row[at + 1],
      }),
    };
  },
};
