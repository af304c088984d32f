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
  readonly rate: number;
  readonly runs: number;
}

/** What stands between the markers of docs/benchmarks.md. */
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
    `Measured ${at.slice(0, 10)} on ${cores} cores, Linux ${kernel}, Node ${node}, Docker ${docker} on the lab host;`,
    `${engine.join("; ")}.`,
    `Load average before ${load[0].toFixed(1)}, after ${load[1].toFixed(1)}; ${rate} requests/s while something changed;`,
    `${runs} runs each. "Ratio" is to the same change by \`docker service update\` in the same run.`,
    "",
    ...markdownTable([header, ...rows]),
  ].join("\n");
}

/** A document with its measured part replaced. */
export function withResults(document: string, results: string): string {
  const [start, end] = [document.indexOf(markers.begin), document.indexOf(markers.end)];
  if (start === -1 || end < start) throw new Error(`the document lacks ${markers.begin} … ${markers.end}`);
  return `${document.slice(0, start + markers.begin.length)}\n\n${results}\n\n${document.slice(end)}`;
}

export function met({ values, goal }: Measure): boolean {
  return goal === undefined || median(values) <= goal;
}

function ratio(measure: Measure, measures: readonly Measure[]): string {
  const baseline = measures.find(({ scenario, quantity }) => `${scenario}: ${quantity}` === measure.baseline);
  return baseline === undefined ? "" : (median(measure.values) / median(baseline.values)).toFixed(2);
}

function range({ values, unit }: Measure): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? "" : `${number(low, unit)} – ${number(high, unit)}`;
}

function number(value: number, unit: Measure["unit"]): string {
  return unit === "s" ? `${value.toFixed(1)} s` : String(Math.round(value));
}

/** Aligned as the formatter would. */
function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length))) ?? [];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell + " ".repeat((columns[column] ?? 0) - cell.length)).join(" | ")} |`;
  const [header = [], ...body] = rows;
  return [line(header), line(columns.map((count) => "-".repeat(count))), ...body.map(line)];
}
