import { describe, expect, it } from "vitest";
import { localBus } from "../transport/local.js";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { runHub } from "./hub.js";
import { runSite } from "./site.js";

it("four sites train one model", async () => {
  const bus = localBus();
  const sites = ["a", "b", "c", "d"].map((site, i) =>
    runSite({
      transport: bus.connect(),
      site,
      trainer: linearTrainer({ seed: i, samples: i === 3 ? 4 : 40 }),
      compareAlone: true,
    }),
  );
  const records: unknown[] = [];
  const model = await runHub({
    transport: bus.connect(),
    config: { run: "test", rounds: 5, schedule: { minSites: 4 } },
    initial: linearModel(),
    onRound: (r) => void records.push(r),
  });
  const reports = await Promise.all(sites);
  console.log([...model.values()][0].data, JSON.stringify(reports, null, 1), JSON.stringify(records[0]));
  expect(records.length).toBe(5);
});
describe.skip("", () => {});
