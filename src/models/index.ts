/** Architectures by name. */
import { UsageError, nearest } from "../errors.js";
import type { Architecture } from "./model.js";
import { climax } from "./climax.js";
import { unet } from "./unet.js";
import { vit } from "./vit.js";

export type { Architecture, Dropout, ModelInputs, ModelVariable } from "./model.js";

/** A configuration names its architecture; the rest are that architecture's own settings. */
export type ModelConfig = { readonly name: string } & Readonly<Record<string, unknown>>;

/** An architecture whose settings are checked by its own defaults. */
export type AnyArchitecture = Omit<Architecture<never>, "defaults"> & {
  readonly defaults: Readonly<Record<string, unknown>>;
};

const architectures = { vit, unet, climax } as unknown as Readonly<Record<string, AnyArchitecture>>;
export const ARCHITECTURES = Object.keys(architectures);

/** The architecture of that name, or an error that names the nearest. */
export function architecture(name: string): AnyArchitecture {
  const found = architectures[name];
  if (found) return found;
  const near = nearest(name, ARCHITECTURES);
  throw new UsageError(
    `there is no model '${name}'${near ? `; did you mean '${near}'?` : ""} Foehn has: ${ARCHITECTURES.join(", ")}`,
  );
}

/** The architecture's settings completed with its defaults and checked; throws naming the wrong key or the remedy. */
export function resolveModel({ name, ...given }: ModelConfig): { architecture: AnyArchitecture; settings: never } {
  const found = architecture(name);
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
