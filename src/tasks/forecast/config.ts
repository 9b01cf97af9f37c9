/**
 * What a forecasting run is told, as one schema with defaults: `config.yaml` in a run holds it as resolved.
 * A wrong key or value is refused with its path and the nearest right one.
 */
import { z } from "zod";
import { parseWith } from "../config.js";

const date = z.string().regex(/^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d)*Z?)?)?)?$/, "write a date as YYYY-MM-DD");
const period = z.tuple([date, date]);

export const forecastSchema = z.strictObject({
  task: z.literal("forecast").default("forecast"),
  data: z.strictObject({
    /** A file or directory that `openDataset` reads. */
    path: z.string().min(1),
    /** Names such as `air`, or `z@500` for one level; everything on the grid if empty. */
    variables: z.array(z.string()).default([]),
    /** Fixed maps such as orography and a land mask, shown to the network; brought to the fields' grid where they lie on another. */
    static: z
      .array(
        z.strictObject({
          path: z.string().min(1),
          /** Every map of the file if empty. */
          variables: z.array(z.string()).default([]),
        }),
      )
      .default([]),
    /** First and last day (or month, or year) of each period. Cut in 70, 10 and 20 parts of the record where left out. */
    train: period.optional(),
    validation: period.optional(),
    test: period.optional(),
    /** Hours left out between the periods; the longest lead where left out. */
    gap: z.number().nonnegative().optional(),
  }),
  forecast: z
    .strictObject({
      /** States shown to the model, one step of the data apart. */
      history: z.int().min(1).max(16).default(2),
      /** Days before the start over which it is shown mean departures from climatology. */
      slowMeans: z.array(z.number().positive()).default([]),
      /**
       * `direct` jumps to any lead at once; `iterative` goes there by steps of the data; `randomised` learns jumps of several
       * intervals, goes there by each of them that divides the lead, and averages (Stormer: Nguyen et al. 2024).
       */
      method: z.enum(["direct", "iterative", "randomised"]).default("direct"),
      /** Hours of the jumps of the randomised method. */
      intervals: z.array(z.number().positive()).min(1).default([6, 12, 24]),
      /**
       * Ways by which the randomised method goes to a lead: `all`, averaged, or the one with the `fewest` jumps, a longest interval
       * first (Pangu-Weather's hierarchical temporal aggregation: Bi et al. 2023).
       */
      paths: z.enum(["all", "fewest"]).default("all"),
      /** Longest lead in hours that the model learns or is weighed by; longer forecasts go on from its own states. */
      maxLead: z.number().positive().default(120),
      /**
       * Whether each lead is corrected linearly on the validation period, by two weights; or `blend`, by one that goes from the first
       * guess to the roll-out: for validation periods of a season or two.
       */
      calibrate: z.union([z.boolean(), z.literal("blend")], "true, false or blend").default(true),
      firstGuess: z.enum(["damped-anomaly", "persistence"]).default("damped-anomaly"),
      /**
       * Annual harmonics of the climatology that departures are counted from. By the training period's length where left out: none
       * from less than ten months, 1 from less than three years, 3 from more.
       */
      annualHarmonics: z.int().min(0).max(6).optional(),
    })
    .prefault({}),
  model: z.looseObject({ name: z.string() }).default({ name: "vit" }),
  training: z
    .strictObject({
      steps: z.int().positive().default(1000),
      batch: z.int().positive().default(32),
      /** Samples that go through the network at once; the batch is summed up over several. */
      microBatch: z.int().positive().default(8),
      learningRate: z.number().positive().default(1e-3),
      schedule: z.enum(["cosine", "warmup-stable-decay", "constant"]).default("cosine"),
      warmup: z.int().nonnegative().default(50),
      weightDecay: z.number().nonnegative().default(0.05),
      beta2: z.number().positive().max(1).default(0.98),
      clip: z.number().positive().default(1),
      /** Phases of an iterative model: part of the steps, and how many of its own steps are trained through. */
      rollout: z.array(z.tuple([z.number().positive().max(1), z.int().positive()])).default([[1, 1]]),
      /**
       * `mse`, the squared error; or `amse`, which does not reward blur (Subich et al. 2025), on global grids: to fine-tune with, and
       * with forecast.calibrate false, since a calibration to the least squared error smooths again.
       */
      loss: z.enum(["mse", "amse"]).default("mse"),
      /**
       * How much each channel's error counts: `uniform`, alike; `pressure`, levels by their pressure and fields at the surface as
       * Stormer has them; or numbers by channel or variable, 1 where none is given.
       */
      channelWeights: z
        .union(
          [z.enum(["uniform", "pressure"]), z.record(z.string(), z.number().nonnegative())],
          "write uniform, pressure, or a number from 0 for each channel, such as { z@500: 2 }",
        )
        .default("uniform"),
      /**
       * Weight of saying what stands at the hidden places of the present state, beside the forecast, for a model that hides some
       * (`masked`: the mixed objective of Prithvi WxC, Schmude et al. 2024).
       */
      reconstruction: z.number().nonnegative().default(0),
      /** Cells by which the grid is shifted at random. */
      shift: z.int().nonnegative().default(0),
      /** Decay of the running average of the weights, which is what is kept and used. */
      average: z.number().min(0).max(1).default(0.995),
      /** Steps between validations. */
      validateEvery: z.int().positive().default(100),
      /** Starts and leads of a validation. */
      validationSamples: z.int().positive().default(128),
      /** Validations without a better loss before training stops. */
      patience: z.int().positive().default(5),
      /** A run or a file of parameters to start from: arrays of the same name and shape are taken over. */
      from: z.string().optional(),
      /** Parameters whose names begin with one of these stay as they are. */
      freeze: z.array(z.string().min(1)).default([]),
      /** Factor on the learning rate for every block further from the output (layer-wise rates); 1 for the same everywhere. */
      layerDecay: z.number().positive().max(1).default(1),
      /** Networks trained from different seeds; their mean is the forecast. */
      seeds: z.int().positive().default(1),
    })
    .prefault({}),
  seed: z.int().nonnegative().default(0),
  device: z.string().default("cpu"),
  threads: z.int().positive().optional(),
});

export type ForecastConfig = z.output<typeof forecastSchema>;

/** Checks and completes a configuration; `source` names its file in errors. */
export const parseForecastConfig = (given: unknown, source?: string): ForecastConfig =>
  parseWith(forecastSchema, given, source);
