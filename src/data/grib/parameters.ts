/**
 * Which parameter a field holds, under ECMWF's short names and paramIds: `2t` is 167 whether edition 1 codes it as
 * number 167 of table 128 or edition 2 as 0.0.0 at 2 m above the ground.
 */
import type { GribField } from "./field.js";
import { EDITION_1, EDITION_2, PARAMETERS } from "./parameter-table.js";
import { PROCESSES } from "./product2.js";

export interface Parameter {
  /** Undefined where the code is not in the table; the name then spells the code. */
  readonly paramId?: number;
  readonly shortName: string;
  readonly units?: string;
  readonly standardName?: string;
  readonly name?: string;
}

/** A code that means a parameter where all its conditions hold. */
interface Code {
  readonly conditions: ReadonlyMap<string, number>;
  readonly paramId: number;
}

const lines = (text: string): string[] => text.trim().split("\n");

let parameters: Map<number, Parameter> | undefined;

function parameterTable(): Map<number, Parameter> {
  return (parameters ??= new Map(
    lines(PARAMETERS).map((line) => {
      const [id, shortName, units, standardName, name] = line.split("|");
      return [Number(id), { paramId: Number(id), shortName, units, standardName: standardName || undefined, name }];
    }),
  ));
}

/** The parameter of a paramId, if it is in the table. */
export const parameterOf = (paramId: number): Parameter | undefined => parameterTable().get(paramId);

/** The parameter that `codeOf` writes for a short name. */
export function parameterNamed(shortName: string): Parameter | undefined {
  const code = codeOf(shortName);
  return code && parameterOf(code.paramId);
}

/** "key a=1 b=2 id" lines by key. */
function readCodes(text: string): Map<string, Code[]> {
  const codes = new Map<string, Code[]>();
  for (const line of lines(text)) {
    const [key, ...rest] = line.split(" ");
    const paramId = Number(rest.pop());
    const conditions = new Map(rest.map((part) => part.split("=")).map(([name, value]) => [name, Number(value)]));
    codes.set(key, [...(codes.get(key) ?? []), { conditions, paramId }]);
  }
  return codes;
}

let codes1: Map<string, Code[]> | undefined;
let codes2: Map<string, Code[]> | undefined;

/** The entry with most conditions, all of which hold. */
function match(
  codes: readonly Code[] | undefined,
  facts: Readonly<Record<string, number | undefined>>,
): number | undefined {
  let best: Code | undefined;
  for (const code of codes ?? [])
    if (
      [...code.conditions].every(([name, value]) => facts[name] === value) &&
      code.conditions.size >= (best?.conditions.size ?? 0)
    )
      best = code;
  return best?.paramId;
}

const HOUR = 3_600_000;
/** Code table C-1. */
const ECMWF = 98;
const ecmwfId = (table: number, number: number): number => (table === 128 ? number : table * 1000 + number);

/** The parameter of a field; an unknown code gets a name that spells it (`var_0_3_200`) and no units. */
export function parameterOfField(field: Pick<GribField, "parameter" | "level" | "step" | "extra">): Parameter {
  const { parameter, level, step, extra } = field;
  let paramId: number | undefined;
  let spelt: string;
  if (parameter.edition === 1) {
    const { table, number, centre } = parameter;
    spelt = `var_${table}_${number}`;
    if (table < 128) {
      codes1 ??= readCodes(EDITION_1);
      if (table <= 3) paramId = match(codes1.get(String(number)), { type: level.first.code, level: level.first.value });
    } else if (centre === ECMWF) paramId = ecmwfId(table, number);
  } else {
    const { discipline, category, number, centre } = parameter;
    spelt = `var_${discipline}_${category}_${number}`;
    codes2 ??= readCodes(EDITION_2);
    // ECMWF's parameters without a code of their own keep table and number of edition 1 in the local discipline.
    if (centre === ECMWF && discipline === 192) {
      paramId = ecmwfId(category, number);
      return parameterOf(paramId) ?? { paramId, shortName: spelt };
    }
    const process = Object.entries(PROCESSES).find(([, name]) => name === step.type)?.[0];
    paramId = match(codes2.get(`${discipline}.${category}.${number}`), {
      centre,
      s1: level.first.code,
      v1: level.first.value,
      s2: level.second?.code,
      v2: level.second?.value,
      stat: process === undefined || step.type === "instant" ? undefined : Number(process),
      hours: (step.end - step.start) / HOUR,
      constituent: extra["constituent"],
    });
  }
  return (paramId === undefined ? undefined : parameterOf(paramId)) ?? { paramId, shortName: spelt };
}

/** The code of edition 2 that is written for a short name or paramId: the one with fewest conditions. */
export function codeOf(parameter: string | number): (Code & { readonly triple: readonly number[] }) | undefined {
  codes2 ??= readCodes(EDITION_2);
  let best: (Code & { readonly triple: readonly number[] }) | undefined;
  for (const [key, codes] of codes2)
    for (const { paramId, conditions } of codes) {
      const known = parameterOf(paramId);
      const named = typeof parameter === "number" ? paramId === parameter : known?.shortName === parameter;
      if (named && !conditions.has("centre") && conditions.size < (best?.conditions.size ?? Infinity))
        best = { triple: key.split(".").map(Number), conditions, paramId };
    }
  return best;
}
