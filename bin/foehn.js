#!/usr/bin/env node
// In a clone, brings dist/ up to date first; in the published package dist/ is there and src/ is not.
import { existsSync } from "node:fs";

if (existsSync(new URL("../src", import.meta.url))) await (await import("../scripts/build.js")).build();
const { main } = await import("../dist/cli/main.js");
process.exitCode = await main(process.argv.slice(2));
