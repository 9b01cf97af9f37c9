import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PARAMETERS } from "./parameter-table.js";
import { codeOf, parameterOf, parameterOfField } from "./parameters.js";

const DEFINITIONS = "/usr/share/eccodes/definitions";
const have = existsSync(`${DEFINITIONS}/grib2/paramId.def`);

/** Names of a concept file by their conditions. */
function concepts(path: string): Map<string, string> {
  const text = readFileSync(`${DEFINITIONS}/${path}`, "latin1");
  return new Map(
    [...text.matchAll(/^'?([^'\n#=]+?)'?\s*=\s*\{([^}]*)\}/gm)].map(([, name, body]) => [
      body.replace(/\s+/g, ""),
      name,
    ]),
  );
}

describe("parameters", () => {
  it("knows an edition 2 code by its level, process and interval", () => {
    const at = (code: number, value: number, type = "instant", hours = 0) =>
      parameterOfField({
        parameter: { edition: 2, centre: 98, discipline: 0, category: 0, number: 0 },
        level: { type: "", value, units: "", first: { code, value } },
        step: { start: 0, end: hours * 3_600_000, type },
        extra: {},
      }).shortName;
    expect(at(100, 50000)).toBe("t");
    expect(at(103, 2)).toBe("2t");
    expect(at(103, 2, "max", 6)).toBe("mx2t6");
    expect(at(103, 10)).toBe("t");
  });

  it("spells a code it does not know", () => {
    const level = { type: "surface", value: 0, units: "", first: { code: 1, value: 0 } };
    const step = { start: 0, end: 0, type: "instant" };
    const parameter = { edition: 2, centre: 7, discipline: 0, category: 191, number: 250 } as const;
    expect(parameterOfField({ parameter, level, step, extra: {} })).toEqual({
      paramId: undefined,
      shortName: "var_0_191_250",
    });
  });

  it("writes 2t as temperature at 2 m", () => {
    expect(codeOf("2t")?.triple).toEqual([0, 0, 0]);
    expect(Object.fromEntries(codeOf(167)!.conditions)).toEqual({ s1: 103, v1: 2 });
  });

  it.skipIf(!have)("agrees with ecCodes' names and units (needs ecCodes' definitions)", () => {
    const known = new Set<string>();
    for (const folder of [
      "grib2",
      "grib2/localConcepts/ecmf",
      "grib2/localConcepts/kwbc",
      "grib1",
      "grib1/localConcepts/ecmf",
    ]) {
      const [ids, names, units] = ["paramId", "shortName", "units"].map((key) => concepts(`${folder}/${key}.def`));
      for (const [conditions, id] of ids) known.add(`${id}|${names.get(conditions)}|${units.get(conditions)}`);
    }
    for (const line of PARAMETERS.trim().split("\n")) {
      const { paramId, shortName, units } = parameterOf(Number(line.split("|")[0]))!;
      const spelt = [...known]
        .filter((row) => row.startsWith(`${paramId}|${shortName}|`))
        .map((row) => row.split("|")[2].replaceAll("**", "").replace("~", "").replace("(0 - 1)", "1"));
      expect(spelt, `${paramId} ${shortName}`).toContain(units);
    }
  });
});
