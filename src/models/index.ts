/** Architectures by name. */
import { UsageError, nearest } from "../errors.js";
import type { Architecture } from "./model.js";
import { climax } from "./climax.js";
import { lka } from "./lka.js";
import { masked } from "./masked.js";
import { met2 } from "./met2.js";
import { pointwise } from "./pointwise.js";
import { resnet } from "./resnet.js";
import { sfno } from "./sfno.js";
import { stormer } from "./stormer.js";
import { swin } from "./swin.js";
import { unet } from "./unet.js";
import { vit } from "./vit.js";
import { wxformer } from "./wxformer.js";

export type { Architecture, Dropout, FilledIn, ModelInputs, ModelVariable } from "./model.js";

export { type PointwiseConfig, writeAt } from "./pointwise.js";
export { adaptPositions } from "./position.js";
export { preset, PRESET_NAMES, type Preset } from "./presets.js";

/** A configuration names its architecture; the rest are that architecture's own settings. */
export type ModelConfig = { readonly name: string } & Readonly<Record<string, unknown>>;

/** An architecture whose settings are checked by its own defaults. */
export type AnyArchitecture = Omit<Architecture<never>, "defaults"> & {
  readonly defaults: Readonly<Record<string, unknown>>;
};

const architectures = {
  vit,
  climax,
  stormer,
  swin,
  wxformer,
  masked,
  met2,
  pointwise,
  unet,
  resnet,
  lka,
  sfno,
} as unknown as Readonly<Record<string, AnyArchitecture>>;
export const ARCHITECTURES = Object.keys(architectures);

/** The architecture of that name, or an error that names the nearest. */
export const architecture = (name: string): AnyArchitecture => named(architectures, name);

/** The architecture's settings completed with its defaults and checked; throws naming the wrong key or the remedy. */
export const resolveModel = (config: ModelConfig): { architecture: AnyArchitecture; settings: never } =>
  resolveIn(architectures, config);

function named<A>(table: Readonly<Record<string, A>>, name: string): A {
  const found = table[name];
  if (found) return found;
  const near = nearest(name, Object.keys(table));
  throw new UsageError(
    `there is no model '${name}'${near ? `; did you mean '${near}'?` : ""} Foehn has: ${Object.keys(table).join(", ")}`,
  );
}

/** The same among the architectures of one task. */
export function resolveIn<A extends Pick<AnyArchitecture, "defaults" | "check">>(
  table: Readonly<Record<string, A>>,
  { name, ...given }: ModelConfig,
): { architecture: A; settings: never } {
  const found = named(table, name);
  for (const [key, value] of Object.entries(given)) {
    const fallback = found.defaults[key];
    if (fallback === undefined) {
      const near = nearest(key, Object.keys(found.defaults));
      throw new UsageError(
        `model.${key}: the ${name} has no such setting${near ? `; did you mean '${near}'?` : ` It has: ${Object.keys(found.defaults).join(", ")}`}`,
      );
    }
    if (kindOf(value) !== kindOf(fallback))
      throw new UsageError(
        `model.${key} is ${JSON.stringify(value)}, but ${kindOf(fallback)} is needed, such as ${JSON.stringify(fallback)}`,
      );
  }
  const settings = { ...found.defaults, ...given } as never;
  const refusal = found.check(settings);
  if (refusal) throw new UsageError(`model: ${refusal}`);
  return { architecture: found, settings };
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? `a list of ${value.length} ${typeof value[0]}s` : `a ${typeof value}`;
