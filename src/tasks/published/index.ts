/** Published models by name. */
import { nearest, UsageError } from "../../errors.js";
import type { PublishedModel } from "./contract.js";
import { fengwu } from "./fengwu.js";
import { fuxi } from "./fuxi.js";
import { pangu } from "./pangu.js";

export type { PublishedModel } from "./contract.js";

const MODELS: Readonly<Record<string, PublishedModel>> = { pangu, fuxi, fengwu };
export const PUBLISHED = Object.keys(MODELS);

/** The published model of that name, or an error that names the nearest. */
export function published(name: string): PublishedModel {
  const model = MODELS[name];
  if (model) return model;
  const near = nearest(name, PUBLISHED);
  throw new UsageError(
    `there is no published model '${name}'${near ? `; did you mean '${near}'?` : "."} Foehn runs: ${PUBLISHED.join(", ")}`,
  );
}
