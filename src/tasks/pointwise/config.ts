/** What a run of gridded and station data is told, as one schema with defaults. */
import { z } from "zod";
import { parseWith } from "../config.js";
import { forecastSchema } from "../forecast/config.js";

const { data, training } = forecastSchema.shape;

export const pointwiseSchema = z.strictObject({
  task: z.literal("stations"),
  /** The gridded data, as for forecasting; and the stations, over the same time at the same step. */
  data: data.extend({
    stations: z.strictObject({
      /** Reports of stations on time and station, each with latitude, longitude and elevation. */
      path: z.string().min(1),
      /** A table of the stations' places, for reports that do not say them. */
      table: z.string().min(1).optional(),
      /** What is forecast at the stations; everything they report if empty. */
      variables: z.array(z.string()).default([]),
    }),
  }),
  forecast: z
    .strictObject({
      /** Gridded states shown to the model, one step of the data apart. */
      history: z.int().min(1).max(16).default(2),
      /** Longest lead in hours; every lead up to it is one jump. */
      maxLead: z.number().positive().default(72),
      annualHarmonics: z.int().min(0).max(6).optional(),
    })
    .prefault({}),
  model: z
    .looseObject({ name: z.literal("pointwise", "only pointwise answers at any place; write model.name: pointwise") })
    .default({ name: "pointwise" }),
  training: training
    .unwrap()
    .pick({
      steps: true,
      batch: true,
      microBatch: true,
      learningRate: true,
      schedule: true,
      warmup: true,
      weightDecay: true,
      beta2: true,
      clip: true,
      average: true,
      validateEvery: true,
      validationSamples: true,
      patience: true,
      from: true,
      seeds: true,
    })
    .extend({
      /** Points of the grid that each sample is asked for, drawn anew with the area they stand for; 0 for the stations alone. */
      gridPoints: z.int().nonnegative().default(256),
      /** Weight of the stations' loss beside the grid's, which has 1. */
      stationWeight: z.number().positive().default(1),
    })
    .prefault({}),
  seed: z.int().nonnegative().default(0),
  device: z.string().default("cpu"),
  threads: z.int().positive().optional(),
});

export type PointwiseRunConfig = z.output<typeof pointwiseSchema>;

/** Checks and completes a configuration; `source` names its file in errors. */
export const parsePointwiseConfig = (given: unknown, source?: string): PointwiseRunConfig =>
  parseWith(pointwiseSchema, given, source);
