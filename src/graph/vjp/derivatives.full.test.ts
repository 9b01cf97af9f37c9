/** As derivatives.test.ts, with many more draws of shapes and attributes. */
import { describe, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import { cases } from "../testing/cases.js";
import { checkCase } from "../testing/check.js";

const runtime = await openInline({ threads: 1 });

describe.each(Object.entries(cases))("%s", (_op, list) => {
  for (const spec of list)
    it(`agrees with finite differences${spec.name ? ` (${spec.name})` : ""}`, async () => {
      for (let seed = 1000; seed < 1060; seed++) await checkCase(runtime, spec, { seed, order: 1 });
      if (spec.second === undefined)
        for (let seed = 1000; seed < 1020; seed++) await checkCase(runtime, spec, { seed, order: 2 });
    });
});
