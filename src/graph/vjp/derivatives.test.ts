/** Every derivative rule against central finite differences, over random shapes, broadcasts and attributes (testing/check.ts). */
import { describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import { checkCase } from "../testing/check.js";
import { cases } from "../testing/cases.js";

const runtime = await openInline({ threads: 1 });
const DRAWS = 4; // derivatives.full.test.ts makes many more

describe.each(Object.entries(cases))("%s", (op, list) => {
  for (const spec of list) {
    const title = spec.name ? ` (${spec.name})` : "";
    it(`agrees with finite differences${title}`, async () => {
      for (let seed = 1; seed <= DRAWS; seed++) await checkCase(runtime, spec, { seed, order: 1 });
    });
    const reason = spec.second === undefined ? "" : `: not tested, it ${spec.second}`;
    it.skipIf(spec.second !== undefined)(`has a right second derivative${title}${reason}`, async () => {
      for (let seed = 1; seed <= 2; seed++) await checkCase(runtime, spec, { seed, order: 2 });
    });
  }
  it("has a case", () => expect(list.length, op).toBeGreaterThan(0));
});
