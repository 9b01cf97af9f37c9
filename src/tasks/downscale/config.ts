/**
 * What a downscaling run is told, as one schema with defaults: `config.yaml` in a run holds it as resolved. A wrong key or
 * value is refused with its path and the nearest right one.
 */
import { z } from "zod";
import { parseWith } from "../config.js";

const date = z.string().regex(/^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d)*Z?)?)?)?$/, "write a date as YYYY-MM-DD");
const period = z.tuple([date, date]);
/** One, or several that are taken together. */
const periods = z.union([period, z.array(period).min(1)]);
const source = z.strictObject({
  /** A file or directory that `openDataset` reads. */
  path: z.string().min(1),
  /** Names such as `tp`, or `z@500` for one level; everything that lies on a grid if empty. */
  variables: z.array(z.string()).default([]),
});

export const downscaleSchema = z.strictObject({
  task: z.literal("downscale").default("downscale"),
  data: z.strictObject({
    /** What is to be made: the fine fields. */
    fine: source,
    /** What it is made from, all on one grid of latitudes and longitudes. Left out, the fine fields are made coarse themselves. */
    coarse: z.array(source).default([]),
    /** Fine rows and columns in a coarse cell, where the fine fields are made coarse themselves; each sample draws one pair. */
    factors: z.array(z.tuple([z.number().min(1), z.number().min(1)])).default([]),
    /** Fixed maps such as orography and a land mask; brought to the fine grid where they lie on another. */
    static: z.array(source).default([]),
    /** Hours from the fine field's time to the coarse one's (12 where days are named by their midnight and predictors are of noon). */
    offset: z.number().default(0),
    /** Variables summed up since the start of a forecast: each time's own amount is taken. */
    accumulated: z.array(z.string()).default([]),
    /** First and last day (or month, or year) of each period, or several of them. Cut in 70, 10 and 20 parts of the record where left out. */
    train: periods.optional(),
    validation: periods.optional(),
    test: periods.optional(),
    /** Hours left out between the periods. */
    gap: z.number().nonnegative().default(0),
  }),
  downscale: z
    .strictObject({
      /** What is predicted for each cell: its mean, quantiles and the mean, or (for rain) the chance of rain and a gamma law of amounts. */
      head: z.enum(["mean", "quantile", "bernoulli-gamma"]).default("quantile"),
      /** How many quantiles, evenly spaced: level (i + 1/2) / n. */
      quantiles: z.int().min(2).max(99).default(20),
      /** The coarse variable whose interpolation is the first guess; the one named like the target where left out; none if empty. */
      base: z.string().optional(),
      /**
       * What the first guess is: the interpolated field and each cell's mean difference from it, or each cell's `regression` on it
       * (regression.ts), which a network with few times to learn from does well to begin with.
       */
      guess: z.enum(["difference", "regression"]).default("difference"),
      /** Amounts up to this are dry, in the target's units. */
      dryUpTo: z.number().nonnegative().default(0.1),
      /** Weight of the squared error of the mean beside the loss of the distribution. */
      meanWeight: z.number().nonnegative().default(0.5),
      /** Whether the network is shown each fine cell's own climate of the training period; it then belongs to that grid. */
      localClimate: z.boolean().default(true),
      /** Whether the fine field's means over coarse cells are made the coarse field's. */
      conserve: z.boolean().default(false),
    })
    .prefault({}),
  model: z.looseObject({ name: z.string() }).default({ name: "unet" }),
  training: z
    .strictObject({
      steps: z.int().positive().default(1000),
      batch: z.int().positive().default(8),
      /** Samples that go through the network at once; the batch is summed up over several. */
      microBatch: z.int().positive().default(8),
      /** Rows and columns of the windows drawn from larger grids. */
      crop: z.tuple([z.int().positive(), z.int().positive()]).default([64, 64]),
      /**
       * Amounts (rain), coarse and fine alike, are multiplied by a factor drawn between its inverse and this while training: where
       * the record is too short to hold strong rain. 1 for none.
       */
      amounts: z.number().min(1).default(1),
      learningRate: z.number().positive().default(1e-3),
      schedule: z.enum(["cosine", "warmup-stable-decay", "constant"]).default("cosine"),
      warmup: z.int().nonnegative().default(50),
      weightDecay: z.number().nonnegative().default(0.05),
      beta2: z.number().positive().max(1).default(0.98),
      clip: z.number().positive().default(1),
      /** Decay of the running average of the weights, which is what is kept and used. */
      average: z.number().min(0).max(1).default(0.995),
      validateEvery: z.int().positive().default(100),
      validationSamples: z.int().positive().default(64),
      /** Validations without a better loss before training stops. */
      patience: z.int().positive().default(5),
      /** Networks trained from different seeds; their mean is the result. */
      seeds: z.int().positive().default(1),
      /**
       * For short records: each network leaves another stretch of the training and validation times out, which chooses its best step,
       * and all stretches together calibrate (Breiman 1996; Krogh and Vedelsby 1995).
       */
      crossFit: z.boolean().default(false),
    })
    .prefault({}),
  seed: z.int().nonnegative().default(0),
  device: z.string().default("cpu"),
  threads: z.int().positive().optional(),
});

export type DownscaleConfig = z.output<typeof downscaleSchema>;

/** Checks and completes a configuration; `origin` names its file in errors. */
export const parseDownscaleConfig = (given: unknown, origin?: string): DownscaleConfig =>
  parseWith(downscaleSchema, given, origin);

/** The levels of the quantiles that a run predicts. */
export const levelsOf = ({ downscale: { head, quantiles } }: DownscaleConfig): number[] =>
  head === "mean" ? [] : Array.from({ length: quantiles }, (_, i) => (i + 0.5) / quantiles);
