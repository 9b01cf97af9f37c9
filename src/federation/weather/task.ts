/**
 * What all sites of a run agree on: the `task` of a run's configuration. The variables that may occur, the model, the leads, and
 * how each site trains. A site has some of the variables, on a grid or at stations; its graph holds the arrays of those alone.
 *
 *     task:
 *       variables: [temp, rhum, msl, wdsp]
 *       model: { name: climax, patch: [1, 1], width: 48, depth: 2 }
 *       forecast: { step: 1, leads: [1, 3, 6, 12, 24], lags: [1, 2, 3, 6, 12, 24] }
 */
import { z } from "zod";
import { UsageError } from "../../errors.js";

const hours = z.number().positive();

export const sharedTaskSchema = z.strictObject({
  kind: z.literal("forecast").default("forecast"),
  /** Every variable that a site may have, by the data's own name or the catalogue's; with a level where there is one (`z@500`). */
  variables: z.array(z.string().min(1)).min(1),
  /** Arrays carry the variables' names, so only a model that keeps variables apart can be shared by sites that differ. */
  model: z.looseObject({ name: z.string() }).default({ name: "climax", patch: [1, 1] }),
  forecast: z.strictObject({
    /** Hours between states; the data's own steps must divide it. */
    step: hours,
    /** Hours ahead that are learnt and scored. */
    leads: z.array(hours).min(1),
    /** Hours back of the past states that are shown beside the newest. */
    lags: z.array(hours).default([]),
    /** Hours before the start over which mean departures from climatology are shown. */
    slowMeans: z.array(hours).default([]),
    /**
     * What a site forecasts before it has learnt anything, and whose error the network learns: the ridge regression that the site
     * fits to its own training part, so that no network need first learn what is linear and local; the same drawn towards the mean
     * of all sites' (line.ts), which the run's first rounds agree upon; or damped anomaly persistence.
     */
    firstGuess: z.enum(["ridge", "shared-ridge", "damped-anomaly"]).default("ridge"),
    /** Rounds at the beginning in which sites send the slopes of their regressions, where these are shared. */
    lineRounds: z.int().positive().default(1),
  }),
  /**
   * Coarse fields that every site can have beside its own record (an analysis, a reanalysis), looked at on a square of points
   * around each of its places. Each site names the file that they lie in.
   */
  surroundings: z
    .strictObject({
      variables: z.array(z.string().min(1)).min(1),
      /** Kilometres from the place to the sides of the square. */
      reach: z.number().positive().default(1000),
      /** Points along each side. */
      points: z.int().positive().default(5),
      /** Hours back of the past fields that are shown beside the newest. */
      lags: z.array(hours).default([]),
    })
    .optional(),
  training: z
    .strictObject({
      /** Points in a batch: stations, or cells of a region's grid. */
      batch: z.int().positive().default(64),
      learningRate: z.number().positive().default(1e-3),
      /** The part of the rate that is left at the end of the run, falling along a cosine. */
      floor: z.number().positive().max(1).default(0.05),
      optimiser: z.enum(["adamw", "sgd"]).default("adamw"),
      weightDecay: z.number().nonnegative().default(0.05),
      beta2: z.number().positive().lt(1).default(0.98),
      momentum: z.number().min(0).lt(1).default(0.9),
      /**
       * What a round's update is: the model after the site's own steps; or the mean gradient of as many batches, by which a hub's
       * optimiser (fedadam and its kin) takes the step. The optimiser above is then for what a site trains for itself.
       */
      sends: z.enum(["model", "gradient"]).default("model"),
      /**
       * The part of a sent gradient that stays from the rounds before: m <- b m + (1 - b) g (worker momentum, Karimireddy et al.
       * 2021), without which no rule holds against hostile sites for long. A site that was restarted begins afresh.
       */
      gradientMemory: z.number().min(0).lt(1).default(0),
      /**
       * Whether a site's optimiser goes on from round to round (as in DiLoCo, Douillard et al. 2023). Fewer rounds are then needed;
       * but a site that was restarted begins afresh, so an interrupted run no longer ends with the very bits of an unbroken one.
       */
      keepOptimiser: z.boolean().default(false),
      clip: z.number().positive().default(1),
    })
    .prefault({}),
  /** Each of `blocks` equal stretches of a site's record is cut into these parts, apart in time by the longest lead or lag. */
  split: z
    .strictObject({
      train: z.number().positive().lt(1).default(0.7),
      validation: z.number().positive().lt(1).default(0.1),
      blocks: z.int().positive().default(1),
    })
    .prefault({}),
  /** Starts a site scores a model on after each round. */
  evaluationStarts: z.int().positive().default(100),
});
export type SharedTask = z.output<typeof sharedTaskSchema>;

/** Checks and completes the `task` of a run's configuration; UsageError says which key is wrong. */
export function parseSharedTask(given: unknown): SharedTask {
  const result = sharedTaskSchema.safeParse(given);
  if (!result.success) {
    const [{ path, message }] = result.error.issues;
    throw new UsageError(`the run's task, ${path.length > 0 ? `'${path.join(".")}'` : "as a whole"}: ${message}`);
  }
  const task = result.data;
  const { step, leads, lags } = task.forecast;
  const odd = [...leads, ...lags, ...(task.surroundings?.lags ?? [])].find((h) => !Number.isInteger(h / step));
  if (odd !== undefined)
    throw new UsageError(`the run's task: ${odd} h is not a multiple of forecast.step (${step} h); use multiples`);
  if (task.split.train + task.split.validation >= 1)
    throw new UsageError(
      "the run's task: split.train and split.validation leave nothing to test on; make them smaller",
    );
  if (new Set(task.variables).size !== task.variables.length)
    throw new UsageError("the run's task: a variable is named twice; name each once");
  return task;
}

const steps = ({ forecast: { step } }: SharedTask, hours: readonly number[]): number[] =>
  hours.map((h) => Math.max(1, Math.round(h / step)));

/** Leads and lags in steps of the data. */
export const inSteps = (task: SharedTask, list: "leads" | "lags" | "slowMeans"): number[] =>
  steps(task, task.forecast[list]);

/** Whether the network learns what a ridge regression leaves. */
export const fromRidge = ({ forecast }: SharedTask): boolean => forecast.firstGuess !== "damped-anomaly";

/** Steps back of the surroundings' past fields. */
export const surroundingLags = (task: SharedTask): number[] => steps(task, task.surroundings?.lags ?? []);

/** Steps back that a sample reaches. */
export const lookBack = (task: SharedTask): number => Math.max(0, ...inSteps(task, "lags"), ...surroundingLags(task));

/** Hours that lie between the parts of the record: what a sample reaches ahead or back. */
export const gapHours = (task: SharedTask): number =>
  Math.max(...task.forecast.leads, lookBack(task) * task.forecast.step);
