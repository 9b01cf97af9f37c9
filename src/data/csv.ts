/** Comma-separated tables, RFC 4180 with what people do to it: any delimiter, comments, missing codes, odd quotes. */
import { DataError } from "../errors.js";
import type { Column, Table } from "./table.js";

export interface CsvOptions {
  readonly source: string;
  /** Told from the header (`,` `;` tab `|`, else spaces) unless given. */
  readonly delimiter?: string;
  /** Texts that mean "no value", besides the usual ones (empty, NA, NaN, null, None, -, M). */
  readonly missing?: readonly string[];
}

const USUAL_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "M", "."];
/** Lines that begin so before the header are comments. */
const COMMENT = /^\s*[#;]/;

/** Parses a table with a header line; columns whose every value is a number (or missing) are numbers. */
export function parseCsv(text: string, options: CsvOptions): Table {
  const { source } = options;
  const missing = new Set([...USUAL_MISSING, ...(options.missing ?? [])]);
  let from = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (COMMENT.test(text.slice(from, from + 80))) {
    const end = text.indexOf("\n", from);
    if (end < 0) throw new DataError(source, "it holds nothing but comments; give a table with a header");
    from = end + 1;
  }
  if (options.delimiter === undefined) from = belowTitle(text, from);
  const delimiter = options.delimiter ?? guessDelimiter(lineAt(text, from));
  const cells: string[][] = [];
  let header: string[] | undefined;
  let line = 0;
  for (const record of records(text, from, delimiter, source)) {
    line++;
    if (record.length === 1 && record[0].trim() === "") continue;
    if (!header) {
      header = record.map((name, i) => name.trim() || `column${i + 1}`);
      header.forEach(() => cells.push([]));
      const twice = header.find((name, i) => header!.indexOf(name) !== i);
      if (twice !== undefined)
        throw new DataError(source, `column '${twice}' is there twice in the header; rename one`);
      continue;
    }
    if (record.length !== header.length)
      throw new DataError(
        source,
        `row ${line} has ${record.length} values, the header ${header.length} (delimiter '${delimiter}'); mend the row or name the delimiter`,
      );
    for (let i = 0; i < record.length; i++) cells[i].push(record[i]);
  }
  if (!header) throw new DataError(source, "it has no header line");
  const columns = new Map<string, Column>(header.map((name, i) => [name, columnOf(cells[i], missing)]));
  return { source, format: "csv", columns };
}

const lineAt = (text: string, from: number): string => {
  const end = text.indexOf("\n", from);
  return text.slice(from, end < 0 ? undefined : end);
};

/** Delimiters by how much they tell: columns that spaces alone part come last. */
function guessDelimiter(header: string): string {
  const counts = [",", ";", "\t", "|"].map((each): [string, number] => [each, header.split(each).length]);
  const [delimiter, fields] = counts.reduce((best, each) => (each[1] > best[1] ? each : best));
  return fields === 1 && split(header, " ").length > 1 ? " " : delimiter;
}

/** Unquoted cells of a line; any run of spaces is one delimiter. */
const split = (line: string, delimiter: string): string[] =>
  delimiter === " " ? line.trim().split(/\s+/) : line.split(delimiter);

/** How far below the beginning a header may stand. */
const TITLE_LINES = 40;

/**
 * Where the header stands below a title: at the first line that has as many columns, two at least, as the line after it.
 * Lines with a delimiter are no title.
 */
function belowTitle(text: string, from: number): number {
  let at = from;
  for (let line = 0; line < TITLE_LINES && at < text.length; line++) {
    const [here, next] = [lineAt(text, at), lineAt(text, at + lineAt(text, at).length + 1)];
    const delimiter = guessDelimiter(here);
    const fields = split(here, delimiter).length;
    if (delimiter !== " " && fields > 1) return at;
    if (fields > 1 && split(next, delimiter).length === fields) return at;
    at += here.length + 1;
  }
  return from;
}

/** Records of cells; quotes keep delimiters and line ends inside. */
function* records(text: string, from: number, delimiter: string, source: string): Generator<string[]> {
  let at = from;
  while (at < text.length) {
    let end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    let line = text.slice(at, text.charCodeAt(end - 1) === 13 ? end - 1 : end);
    if (!line.includes('"')) {
      yield split(line, delimiter);
      at = end + 1;
      continue;
    }
    // a quote that is not closed on this line goes on over the next
    while ((line.split('"').length - 1) % 2 === 1) {
      const next = end + 1;
      if (next >= text.length)
        throw new DataError(source, `a quote opened near '${line.slice(0, 40)}' is never closed`);
      end = text.indexOf("\n", next);
      if (end < 0) end = text.length;
      line += `\n${text.slice(next, end)}`;
    }
    yield quotedCells(line, delimiter);
    at = end + 1;
  }
}

function quotedCells(line: string, delimiter: string): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      let end = at + 1;
      while (end < line.length && !(line[end] === '"' && line[end + 1] !== '"')) end += line[end] === '"' ? 2 : 1;
      cells.push(line.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (at >= line.length) return cells;
      at++;
    } else {
      const end = line.indexOf(delimiter, at);
      cells.push(end < 0 ? line.slice(at) : line.slice(at, end));
      if (end < 0) return cells;
      at = end + 1;
    }
  }
}

function columnOf(cells: readonly string[], missing: ReadonlySet<string>): Column {
  const numbers = new Float64Array(cells.length);
  let any = false;
  for (let i = 0; i < cells.length; i++) {
    const text = cells[i].trim();
    if (missing.has(text)) numbers[i] = NaN;
    else {
      const value = Number(text);
      if (Number.isNaN(value)) return cells.map((cell) => (missing.has(cell.trim()) ? "" : cell.trim()));
      numbers[i] = value;
      any = true;
    }
  }
  return any || cells.length === 0 ? numbers : numbers.fill(NaN);
}

/** A table as text; numbers in their shortest exact form, missing ones empty. */
export function formatCsv(columns: ReadonlyMap<string, Column>): string {
  const names = [...columns.keys()];
  const rows = columns.get(names[0])?.length ?? 0;
  const quote = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [names.map(quote).join(",")];
  for (let row = 0; row < rows; row++)
    lines.push(
      names
        .map((name) => {
          const value = columns.get(name)![row];
          return typeof value === "string" ? quote(value) : Number.isNaN(value) ? "" : String(value);
        })
        .join(","),
    );
  return `${lines.join("\n")}\n`;
}
