/**
 * A model card: what a person must know before trusting a model, written beside every one (Mitchell et al. 2019, "Model cards
 * for model reporting"). Markdown, made of facts the program has; what it does not know, it says so.
 */
export interface CardTable {
  /** A sentence above the table: which period, which starts, what was chosen on it. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface CardFacts {
  readonly title: string;
  /** What goes in and comes out, in a sentence. */
  readonly purpose: string;
  readonly architecture: string;
  /** Numbers in one network, and how many networks. */
  readonly parameters: number;
  readonly networks: number;
  readonly data: {
    readonly source: string;
    /** Name and unit of each variable. */
    readonly variables: readonly (readonly [name: string, unit: string])[];
    readonly grid: string;
    readonly step: string;
    /** Names of the fixed maps shown to the network. */
    readonly statics?: readonly string[];
    readonly periods: readonly (readonly [name: string, period: string])[];
    /** Of the data, as they state it. */
    readonly licence?: string;
  };
  readonly cost: {
    readonly seconds: number;
    /** Processor time of all threads. */
    readonly processorSeconds: number;
    readonly machine: string;
    /** From the machine's own counter, where it can be read. */
    readonly joules?: number;
  };
  /** Undefined where nothing was scored yet. */
  readonly scores?: CardTable;
  readonly limits: readonly string[];
}

/** The card as Markdown. */
export function cardText({ data, cost, scores, ...facts }: CardFacts): string {
  const hours = (seconds: number) =>
    seconds < 5400 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
  return [
    `# ${facts.title}`,
    "",
    facts.purpose,
    "",
    `- **Model:** ${facts.architecture}; ${facts.parameters.toLocaleString("en")} parameters${facts.networks > 1 ? ` in each of ${facts.networks} networks whose mean is taken` : ""}.`,
    `- **Data:** ${data.source}; ${data.grid}, ${data.step}.`,
    `- **Variables:** ${data.variables.map(([name, unit]) => `${name} (${unit || "no unit stated"})`).join(", ")}.`,
    ...(data.statics ? [`- **Fixed maps:** ${data.statics.join(", ")}.`] : []),
    ...data.periods.map(([name, period]) => `- **${name}:** ${period}.`),
    `- **Training took** ${hours(cost.seconds)} on ${cost.machine}: ${hours(cost.processorSeconds)} of processor time; energy ${
      cost.joules === undefined
        ? "not measured (this machine shows no counter)"
        : `${(cost.joules / 3.6e6).toFixed(3)} kWh by the processor's counter`
    }.`,
    `- **Licence:** the model's is for its maker to choose; the data's: ${data.licence ?? "not stated in the file; look at its source before sharing a model made of it"}.`,
    "",
    SCORES,
    "",
    ...(scores ? tableLines(scores) : ["None yet: `foehn verify` makes them."]),
    "",
    LIMITS,
    "",
    ...facts.limits.map((limit) => `- ${limit}`),
    "",
  ].join("\n");
}

const SCORES = "## Scores beside the baselines";
const LIMITS = "## Limits";

/** The card with another table above the scores it has: those of the test period, once they are known. */
export function withScores(card: string, table: CardTable): string {
  const at = card.indexOf(SCORES) + SCORES.length;
  return `${card.slice(0, at)}\n\n${tableLines(table).join("\n")}\n${card.slice(at)}`;
}

function tableLines({ note, columns, rows }: CardTable): string[] {
  const cell = (v: string | number) => (typeof v === "number" ? v.toPrecision(4) : v);
  return [
    note,
    "",
    `| ${columns.join(" | ")} |`,
    `|${columns.map(() => "---").join("|")}|`,
    ...rows.map((row) => `| ${row.map(cell).join(" | ")} |`),
  ];
}
