/** `npm run bench [-- --json] [group ...]`: every figure that Foehn promises, beside a yardstick measured in the same run. */
import { type BenchRow, formatRows } from "./row.js";

const GROUPS: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  engine: async () => [
    ...(await (await import("./engine.js")).engineRows()),
    ...(await (await import("./unet.js")).unetRows()),
  ],
  models: async () => [
    ...(await (await import("./models.js")).modelRows()),
    ...(await import("./downscale.js")).downscaleRows(),
  ],
  data: async () => [
    ...(await (await import("./grib.js")).gribRows()),
    ...(await (await import("./data.js")).dataRows()),
  ],
  simulator: async () => (await import("./simulator.js")).simulatorRows(),
  verify: async () => (await import("./verify.js")).verifyRows(),
  federation: async () => (await import("./federation.js")).federationRows(),
};

const words = process.argv.slice(2);
if (words[0] === "--vit" || words[0] === "--vit-recompute") {
  const recompute = words[0] === "--vit-recompute";
  process.stdout.write(JSON.stringify(await (await import("./engine.js")).vitFigures({ recompute })));
  process.exit(0);
}
if (words[0] === "--convert") {
  process.stdout.write(JSON.stringify(await (await import("./data.js")).convertFigures(words[1])));
  process.exit(0);
}
if (words[0] === "--unet") {
  process.stdout.write(JSON.stringify(await (await import("./unet.js")).unetFigures()));
  process.exit(0);
}
if (words[0] === "--climax" || words[0] === "--climatelearn") {
  const { climaxFigures, climatelearnFigures } = await import("./models.js");
  process.stdout.write(JSON.stringify(await (words[0] === "--climax" ? climaxFigures() : climatelearnFigures())));
  process.exit(0);
}
if (words[0]?.startsWith("--downscale-")) {
  const { downscaleFigures } = await import("./downscale.js");
  process.stdout.write(JSON.stringify(await downscaleFigures(words[0] === "--downscale-tiled")));
  process.exit(0);
}
if (words[0] === "--proof") {
  process.argv.splice(2, 1);
  await import("./federation-proof.js");
  process.exit(0);
}
const json = words.includes("--json");
const asked = words.filter((w) => w !== "--json");
const unknown = asked.find((g) => !(g in GROUPS));
if (unknown !== undefined) {
  process.stderr.write(`foehn bench: there is no group '${unknown}'; there are ${Object.keys(GROUPS).join(", ")}\n`);
  process.exit(2);
}
const rows: BenchRow[] = [];
for (const [name, run] of Object.entries(GROUPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`measuring ${name} ...\n`);
  const part = await run();
  rows.push(...part);
  if (!json) process.stdout.write(`\n${name}\n${formatRows(part)}\n`);
}
if (json) process.stdout.write(`${JSON.stringify(rows, null, 1)}\n`);
