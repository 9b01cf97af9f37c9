import { defineConfig } from "vitest/config";

/** Long checks (published test cases at full length, fuzzing, climates) are named *.full.test.ts and run with `npm run test:full`. */
const full = process.env["FOEHN_TEST"] === "full";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: full ? [] : ["**/*.full.test.ts"],
    globalSetup: ["test/global-setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: full ? 1_800_000 : 60_000,
  },
});
