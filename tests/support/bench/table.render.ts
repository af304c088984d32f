import { median, type Measure } from "./measure.ts";

export const markers = { begin: "<!-- measured: begin -->", end: "<!-- measured: end -->" } as const;

export interface Circumstances {
  readonly at: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly engine: readonly string[];
  readonly docker: string;
  /** One-minute load average before the first and after the last run, without what the bench itself did before. */
  readonly load: readonly [before: number, after: number];
  /** Requests per second; 0 without load. */
  readonly rate: number;
  readonly runs: number;
}

/** What one scenario measured, and under which circumstances. */
export function renderResults(measures: readonly Measure[], circumstances: Circumstances): string {
  const { at, cores, kernel, node, engine, docker, load, rate, runs } = circumstances;
  const header = ["Scenario", "Measured", "Median", "Range", "Goal", "Ratio"];
  const rows = measures.map((measure) => [
    measure.scenario,
    measure.quantity,
    number(median(measure.values), measure.unit),
    range(measure),
    measure.goal === undefined ? "" : `≤ ${number(measure.goal, measure.unit)}${met(measure) ? "" : " **missed**"}`,
    ratio(measure, measures),
  ]);
  return [
    ...markdownTable([header, ...rows]),
    "",
    `${at.slice(0, 10)}, ${runs === 1 ? "1 run" : `${runs} runs`}${rate === 0 ? "" : `, ${rate} requests/s`}; ` +
      `load average before ${load[0].toFixed(1)}, after ${load[1].toFixed(1)}.`,
    `${cores} cores, Linux ${kernel}, Node ${node}, Docker ${docker} on the lab host; ${engine.join("; ")}.`,
  ].join("\n");
}

/**
 * A document with the results of one scenario in place of those it had before. Those of other scenarios stay, in the
 * order of `names`; what was measured under a name that is not among them is kept at the end.
 */
export function withResults(document: string, scenario: string, results: string, names: readonly string[]): string {
  const [start, end] = [document.indexOf(markers.begin), document.indexOf(markers.end)];
  if (start === -1 || end < start) throw new Error(`the document lacks ${markers.begin} … ${markers.end}`);
  const sections = sectionsOf(document.slice(start + markers.begin.length, end)).set(scenario, results);
  const place = (name: string): number => (names.includes(name) ? names.indexOf(name) : names.length);
  const sorted = [...sections].toSorted(([one], [other]) => place(one) - place(other));
  const measured = sorted.map(([name, text]) => `### ${name}\n\n${text}`);
  return `${document.slice(0, start)}${[markers.begin, ...measured, markers.end].join("\n\n")}${document.slice(end + markers.end.length)}`;
}

/** Text by the heading it stands under. */
function sectionsOf(text: string): Map<string, string> {
  const [, ...sections] = `\n${text}`.split(/\n### /);
  return new Map(
    sections.map((section): [string, string] => {
      const [name = "", ...lines] = section.split("\n");
      return [name.trim(), lines.join("\n").trim()];
    }),
  );
}

export function met({ values, goal }: Measure): boolean {
  return goal === undefined || median(values) <= goal;
}

function ratio(measure: Measure, measures: readonly Measure[]): string {
  const baseline = measures.find(({ scenario, quantity }) => `${scenario}: ${quantity}` === measure.baseline);
  // What lost nothing is no measure for anything.
  if (baseline === undefined || median(baseline.values) === 0) return "";
  return (median(measure.values) / median(baseline.values)).toFixed(2);
}

function range({ values, unit }: Measure): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? "" : `${number(low, unit)} – ${number(high, unit)}`;
}

function number(value: number, unit: Measure["unit"]): string {
  if (unit === "s") return `${value.toFixed(1)} s`;
  return [String(Math.round(value)), unit].join(" ").trim();
}

/** Aligned as the formatter would. */
function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length))) ?? [];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell + " ".repeat((columns[column] ?? 0) - cell.length)).join(" | ")} |`;
  const [header = [], ...body] = rows;
  return [line(header), line(columns.map((count) => "-".repeat(count))), ...body.map(line)];
}
