/**
 * A site's trainer from its data: any file that `openDataset` reads, a grid or a table of stations.
 *
 *     const trainer = await weatherTrainer({ task, data: "obs.csv", stations: "stations.csv", only: ["VALENTIA"], runtime });
 *     await runSite({ transport, site: "valentia", trainer });
 */
import type { Dataset } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { openRuntime } from "../../engine/runtime.node.js";
import { siteMembers } from "./data.js";
import { createWeatherSite, type WeatherSite } from "./site.js";
import { parseSharedTask } from "./task.js";

export interface WeatherTrainerOptions {
  /** The `task` of the run's configuration. */
  readonly task: unknown;
  /** What `openDataset` reads, or a dataset that is open. */
  readonly data: string | Dataset;
  /** A table of the stations' places, where the data has none. */
  readonly stations?: string;
  /** The fields around the site, where the run's task looks at them: what `openDataset` reads, or a dataset that is open. */
  readonly surroundings?: string | Dataset;
  /** Stations that are this site's; all where left out. */
  readonly only?: readonly string[];
  /** Units of variables that do not say theirs. */
  readonly units?: Readonly<Record<string, string>>;
  readonly runtime?: Runtime;
  readonly threads?: number;
}

/**
 * Opens the data, keeps what the run's task knows of it, and fits climatology and deviations to the site's own training part.
 * Throws DataError where the data has none of the variables, has another time step, or is too short.
 */
export async function weatherTrainer(options: WeatherTrainerOptions): Promise<WeatherSite> {
  const { data, stations, only, units, surroundings } = options;
  const task = parseSharedTask(options.task);
  const dataset =
    typeof data === "string" ? await openDataset(data, { units, ...(stations ? { table: { stations } } : {}) }) : data;
  const around = typeof surroundings === "string" ? await openDataset(surroundings) : surroundings;
  try {
    const { members, variables } = await siteMembers(dataset, task, { only, surroundings: around });
    const runtime = options.runtime ?? (await openRuntime({ threads: options.threads ?? 1 }));
    return await createWeatherSite({ task, members, variables, runtime, source: dataset.source });
  } finally {
    if (typeof data === "string") await dataset.close();
    if (typeof surroundings === "string") await around?.close();
  }
}
