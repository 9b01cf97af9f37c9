/**
 * Configurations by name: published models as they were, and Foehn's own sizes.
 *
 *     const { model } = preset("climax-5.6");   // { name: "climax", width: 1024, depth: 8, ... }
 */
import { nearest, UsageError } from "../errors.js";
import type { ModelConfig } from "./index.js";

export interface Preset {
  readonly model: ModelConfig;
  /** Settings of the training that belong to it; a configuration's own come before them. */
  readonly training?: Readonly<Record<string, unknown>>;
  readonly about: string;
  /** What the published model had, to count its parameters by. */
  readonly published?: Published;
}

export interface Published {
  readonly source: string;
  /** Latitudes and longitudes. */
  readonly grid: readonly [number, number];
  /** Maps in, and variables out. */
  readonly maps: number;
  readonly channels: number;
  /** Millions. */
  readonly parameters: number;
}

const PRESETS: Readonly<Record<string, Preset>> = {
  "foehn-tiny": {
    about: "what npm start trains in minutes: a small ViT on patches of 4 x 4",
    model: { name: "vit", patch: [4, 4], width: 128, depth: 4, heads: 4, headDepth: 1, dropout: 0 },
  },
  "foehn-small": {
    about: "any variables on any grid, an evening on two cores",
    model: { name: "climax", patch: [2, 2], width: 192, depth: 6, heads: 6, headDepth: 1, dropout: 0.05 },
  },
  "climatelearn-vit": {
    about: "ClimateLearn's ViT",
    model: { name: "vit", patch: [2, 2], width: 128, depth: 8, heads: 4, ratio: 4, headDepth: 2, dropout: 0.1 },
    published: { source: "ClimateLearn", grid: [32, 64], maps: 147, channels: 3, parameters: 1.76 },
  },
  "climatelearn-resnet": {
    about: "ClimateLearn's ResNet of 28 blocks",
    model: { name: "resnet", width: 128, depth: 28, dropout: 0.1 },
    // Two variables at three times, as in its quick start
    published: { source: "ClimateLearn", grid: [32, 64], maps: 6, channels: 2, parameters: 8.3 },
  },
  "weatherbench-resnet": {
    about: "the ResNet of Rasp and Thuerey (2021) as ClimateLearn has it: 19 blocks",
    model: { name: "resnet", width: 128, depth: 19, dropout: 0.1 },
  },
  "climax-5.6": {
    about: "ClimaX on 5.625 degrees",
    model: {
      name: "climax",
      patch: [2, 2],
      width: 1024,
      depth: 8,
      heads: 16,
      ratio: 4,
      headDepth: 2,
      dropout: 0.1,
      position: "learnt",
    },
    published: { source: "ClimaX", grid: [32, 64], maps: 48, channels: 48, parameters: 108.09 },
  },
  "climax-1.4": {
    about: "ClimaX on 1.40625 degrees",
    model: {
      name: "climax",
      patch: [4, 4],
      width: 1024,
      depth: 8,
      heads: 16,
      ratio: 4,
      headDepth: 2,
      dropout: 0.1,
      position: "learnt",
    },
  },
  "stormer-1.4": {
    about: "Stormer on 1.40625 degrees",
    model: {
      name: "stormer",
      patch: [2, 2],
      width: 1024,
      depth: 24,
      heads: 16,
      ratio: 4,
      dropout: 0,
      position: "learnt",
    },
    training: { channelWeights: "pressure" },
    // Counted from its published code (github.com/tung-nd/stormer)
    published: { source: "Stormer", grid: [128, 256], maps: 69, channels: 69, parameters: 468.75 },
  },
};

export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** The preset of that name, or an error that names the nearest. */
export function preset(name: string): Preset {
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name];
  const near = nearest(name, PRESET_NAMES);
  throw new UsageError(
    `there is no preset '${name}'${near ? `; did you mean '${near}'?` : ""} Foehn has: ${PRESET_NAMES.join(", ")}`,
  );
}
