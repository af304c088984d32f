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
import { scenarios, type Bench } from "./bench/scenarios.ts";
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

const help = `npm run bench -- [scenario …] [--runs N] [--rate N] [--write] [--name LAB --http-port N --https-port N]

Scenarios: ${scenarios.map(({ name }) => name).join(", ")}; all of them without a name.

  --runs N    runs of each, 3 by default; the median counts
  --rate N    requests per second while something changes, 300 by default
  --write     put the table into docs/benchmarks.md
  --name LAB  an existing lab, with the ports it was made with; its applications must run at 1.0.0, and do so
              afterwards. Without it a lab is made and removed.

Exit code 1 when a goal is missed.`;

async function bench(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
  const chosen = positionals.length === 0 ? scenarios : scenarios.filter(({ name }) => positionals.includes(name));
  if (values.help === true || chosen.length < positionals.length) {
    process.stdout.write(`${help}\n`);
    return values.help === true ? 0 : 2;
  }
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const measures = new Measures();
  const [runs, rate] = [Number(values.runs ?? 3), Number(values.rate ?? 300)];
  const lab = await openLab(values, measures, say);
  const before = loadavg()[0] ?? 0;
  try {
    const context: Bench = { lab, measures, runs, rate, say };
    for (const scenario of chosen) {
      say(`\n${scenario.name}`);
      await scenario.run(context);
    }
    const results = renderResults(measures.all, await circumstances(lab, before, runs, rate));
    say(`\n${results}`);
    if (values.write === true) writeFileSync(document, withResults(readFileSync(document, "utf8"), results));
    return measures.all.every(met) ? 0 : 1;
  } finally {
    // A lab that was there before is left as it was found; after a failure it says more as it is.
    if (values.name === undefined) await lab.destroy();
  }
}

async function openLab(
  values: { readonly name?: string; readonly "http-port"?: string; readonly "https-port"?: string },
  measures: Measures,
  say: (line: string) => void,
): Promise<TestLab> {
  if (values.name === undefined) {
    const started = performance.now();
    const lab = await createLab();
    const up = await lab.mustUp();
    const seconds = (performance.now() - started) / 1000;
    measures.add({ scenario: "npm run lab", quantity: "a new lab, images and engine cached", unit: "s" }, seconds);
    say(`a new lab in ${seconds.toFixed(0)} s, of which the first up ${up.seconds.toFixed(0)} s`);
    return lab;
  }
  const ports = (["http-port", "https-port"] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  );
  const [, settings] = parseCommandLine(["up", "--name", values.name, ...ports], process.env, root);
  const progress = new Progress((text) => process.stdout.write(text));
  const lab = new TestLab(await withLock(settings.directory, () => prepare(settings, progress)));
  await lab.reset();
  return lab;
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
