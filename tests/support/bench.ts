import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withLock } from "../../lab/lock.ts";
import { Progress } from "../../lab/progress.ts";
import { parseCommandLine } from "../../lab/settings.ts";
import { prepare } from "../../lab/up.ts";
import { createLab, TestLab } from "../lab/support/lab.ts";
import { Measures } from "./bench/measure.ts";
import type { Bench, Scenario } from "./bench/context.ts";
import { scenarios } from "./bench/scenarios.ts";
import { met, renderResults, withResults, type Circumstances } from "./bench/table.render.ts";

/*
 * npm run bench: how long things take and what gets lost meanwhile, on a lab, against Docker's own command in the same
 * run. See docs/benchmarks.md.
 */

const root = join(import.meta.dirname, "../..");
const document = join(root, "docs/benchmarks.md");
const options = {
  name: { type: "string" },
  "http-port": { type: "string" },
  "https-port": { type: "string" },
  runs: { type: "string" },
  rate: { type: "string" },
  write: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const isUsual = ({ hosts = 1 }: Scenario): boolean => hosts === 1;
const namesOf = (list: readonly Scenario[]): string => list.map(({ name }) => name).join(", ");

const help = `npm run bench -- [scenario …] [--runs N] [--rate N] [--write] [--name LAB --http-port N --https-port N]

Scenarios: ${namesOf(scenarios.filter(isUsual))}; all of these without a name.
Only when named, for they need several hosts: ${namesOf(scenarios.filter((scenario) => !isUsual(scenario)))}.

  --runs N    runs of each, 3 by default; the median counts
  --rate N    requests per second while something changes, 300 by default for most
  --write     put the results into docs/benchmarks.md, in place of those of the same scenarios
  --name LAB  an existing lab, with the ports it was made with; its applications must run at 1.0.0, and do so
              afterwards. Without it a lab is made and removed.

Exit code 1 when a goal is missed.`;

interface Values {
  readonly name?: string;
  readonly "http-port"?: string;
  readonly "https-port"?: string;
}

async function bench(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
  const chosen =
    positionals.length === 0 ? scenarios.filter(isUsual) : scenarios.filter(({ name }) => positionals.includes(name));
  if (values.help === true || chosen.length < positionals.length) {
    process.stdout.write(`${help}\n`);
    return values.help === true ? 0 : 2;
  }
  let missed = false;
  for (const [hosts, bare] of [
    [1, false],
    [3, false],
    [3, true],
  ] as const) {
    const group = chosen.filter((scenario) => (scenario.hosts ?? 1) === hosts && (scenario.bare ?? false) === bare);
    if (group.length === 0) continue;
    const { lab, made } = await (bare ? openBareLab(values, hosts) : openLab(values, hosts));
    try {
      for (const scenario of group) {
        const { measures, results } = await measure(scenario, lab, made, values);
        // What was measured is kept, whatever becomes of the next one.
        if (values.write === true) write(scenario, results);
        missed ||= !measures.all.every(met);
      }
    } finally {
      // A lab that was there before is left as it was found; after a failure it says more as it is.
      if (values.name === undefined) await lab.destroy();
    }
  }
  return missed ? 1 : 0;
}

async function measure(
  scenario: Scenario,
  lab: TestLab,
  made: number | undefined,
  values: { readonly runs?: string; readonly rate?: string },
): Promise<{ measures: Measures; results: string }> {
  const measures = new Measures();
  const runs = Number(values.runs ?? 3);
  const rate = scenario.rate === 0 ? 0 : Number(values.rate ?? scenario.rate ?? 300);
  const context: Bench = { lab, made, measures, runs, rate, say };
  const before = loadavg()[0] ?? 0;
  say(`\n${scenario.name}`);
  await scenario.run(context);
  const results = renderResults(measures.all, await circumstances(lab, before, runs, rate));
  say(`\n${results}`);
  return { measures, results };
}

function write({ name }: Scenario, results: string): void {
  const names = scenarios.map((scenario) => scenario.name);
  writeFileSync(document, withResults(readFileSync(document, "utf8"), name, results, names));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function openBareLab(values: Values, hosts: number): Promise<{ lab: TestLab; made?: number }> {
  if (values.name !== undefined) throw new Error(`--name: has hosts that are in use, got ${values.name}; leave it out`);
  return { lab: await createLab({ hosts }) };
}

async function openLab(values: Values, hosts: number): Promise<{ lab: TestLab; made?: number }> {
  if (values.name === undefined) {
    const started = performance.now();
    const lab = await createLab({ hosts });
    const up = await lab.mustUp();
    const made = (performance.now() - started) / 1000;
    say(`a new lab in ${made.toFixed(0)} s, of which the first up ${up.seconds.toFixed(0)} s`);
    return { lab, made };
  }
  const ports = (["http-port", "https-port"] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  );
  const args = ["up", "--name", values.name, "--hosts", String(hosts), ...ports];
  const [, settings] = parseCommandLine(args, process.env, root);
  const progress = new Progress((text) => process.stdout.write(text));
  const lab = new TestLab(await withLock(settings.directory, () => prepare(settings, progress)));
  await lab.reset();
  return { lab };
}

async function circumstances(lab: TestLab, before: number, runs: number, rate: number): Promise<Circumstances> {
  const host = `berth-${lab.lab.name}-host1`;
  const { stdout } = await lab.run("docker", "exec", host, "docker", "version", "--format", "{{.Server.Version}}");
  return {
    at: new Date().toISOString(),
    cores: availableParallelism(),
    kernel: release(),
    node: process.version.slice(1),
    // Where the programs lie is of no interest elsewhere.
    engine: lab.prepared.engine.summary.map((line) => line.replace(/ \(.*\)$/, "")),
    docker: stdout.trim(),
    load: [before, loadavg()[0] ?? 0],
    runs,
    rate,
  };
}

if (import.meta.main) process.exitCode = await bench(process.argv.slice(2));
