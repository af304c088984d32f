import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { ensurePrograms } from "../../lab/packages.ts";

/*
 * Every check there is, quick ones first, with one count at the end: what `npm test` and CI run.
 *
 * A failure does not stop the quick suites: one run shows everything that is wrong. Those on labs take many minutes and
 * are started only when the others all passed; `--all` starts them all the same.
 */

export interface Suite {
  readonly name: string;
  /** Files for mocha, or a command that passes or fails as one. */
  readonly run:
    | {
        readonly mocha: string | readonly string[];
        readonly timeoutMs?: number;
        /** How many files run at the same time, each in a process of its own. @default 1 */
        readonly jobs?: number;
      }
    | { readonly command: readonly [string, ...string[]] };
  /** Runs at the same time as the one before it. */
  readonly beside?: boolean;
  /** Not started after a failure of a quick one. */
  readonly slow?: boolean;
}

export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly skipped: boolean;
  /** What failed, a line each: the title of the test and the first line of its error. */
  readonly problems: readonly string[];
}

/**
 * Files of tests/lab that share one lab, with the one that brings it up first, and the others: they have labs of their
 * own, or need none.
 */
export function labFiles(root: string): { shared: string[]; others: string[] } {
  const files = testFiles(root, "tests/lab", ["lab-life", "systems", "certificates", "store-images"]);
  const shares = (path: string): boolean => /shared?Lab\b/.test(readFileSync(join(root, path), "utf8"));
  return { shared: files.filter(shares), others: files.filter((path) => !shares(path)) };
}

/** Those of a folder, the ones that take longest first: what runs beside others should not end alone. */
function testFiles(root: string, folder: string, first: readonly string[]): string[] {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
  const ahead = first.map((name) => `${name}.test.ts`).filter((name) => names.includes(name));
  return [...new Set([...ahead, ...names.toSorted()])].map((name) => `${folder}/${name}`);
}

const repository = join(import.meta.dirname, "../..");
const engine = testFiles(repository, "tests/engine", ["plugin-docker", "operations", "cloudflare-system"]);
const { shared, others } = labFiles(repository);

const suites: readonly Suite[] = [
  { name: "lint", run: { command: ["npm", "run", "--silent", "lint"] } },
  { name: "typecheck", run: { command: ["npm", "run", "--silent", "typecheck"] }, beside: true },
  { name: "unit", run: { mocha: "tests/unit/**/*.test.ts" }, beside: true },
  { name: "contract", run: { mocha: "tests/contract/**/*.test.ts" } },
  { name: "preview", run: { mocha: "tests/preview/**/*.test.ts", timeoutMs: 300_000 }, beside: true },
  { name: "engine", run: { mocha: engine, timeoutMs: 300_000, jobs: 3 }, beside: true },
  { name: "lab", run: { mocha: shared, timeoutMs: 900_000 }, slow: true },
  { name: "labs", run: { mocha: others, timeoutMs: 900_000, jobs: 2 }, slow: true, beside: true },
];

/** Runs suites in turn, and beside each other where they say so. */
export async function runSuites(
  chosen: readonly Suite[],
  options: {
    readonly root: string;
    readonly evenAfterFailures: boolean;
    readonly output: "inherit" | "ignore";
    readonly signal?: AbortSignal;
  },
): Promise<Outcome[]> {
  const groups: Suite[][] = [];
  for (const suite of chosen) {
    const last = groups.at(-1);
    if (suite.beside === true && last) last.push(suite);
    else groups.push([suite]);
  }
  const outcomes: Outcome[] = [];
  let broken = false;
  for (const group of groups) {
    const starts = (suite: Suite): boolean =>
      options.signal?.aborted !== true && (suite.slow !== true || !broken || options.evenAfterFailures);
    const output = (suite: Suite): Output =>
      options.output === "inherit" && group.length > 1 ? { name: suite.name } : options.output;
    outcomes.push(
      ...(await Promise.all(
        group.map(async (suite) => (starts(suite) ? runSuite(suite, options.root, output(suite)) : leftOut(suite))),
      )),
    );
    // Of the slow ones, none hides what the others have to say.
    const quick = group.filter(({ slow }) => slow !== true).map(({ name }) => name);
    broken ||= outcomes.some(({ name, failed }) => quick.includes(name) && failed > 0);
  }
  return outcomes;
}

function leftOut({ name }: Suite): Outcome {
  return { name, passed: 0, failed: 0, seconds: 0, skipped: true, problems: [] };
}

async function runSuite(suite: Suite, root: string, output: Output): Promise<Outcome> {
  if (output !== "ignore") process.stdout.write(`\n=== ${suite.name}\n`);
  const started = Date.now();
  const counts = await countsOf(suite, root, output);
  return { name: suite.name, ...counts, seconds: (Date.now() - started) / 1000, skipped: false };
}

type Counts = Pick<Outcome, "passed" | "failed" | "problems">;

/** As it comes, not at all, or with a name in front of each line: of what runs at the same time. */
type Output = "inherit" | "ignore" | { readonly name: string };

async function countsOf({ run }: Suite, root: string, output: Output): Promise<Counts> {
  if ("command" in run) {
    const code = await exitCode(run.command, root, output);
    if (code === 0) return { passed: 1, failed: 0, problems: [] };
    return { passed: 0, failed: 1, problems: [`${run.command.join(" ")}: exit code ${code}`] };
  }
  return runMocha([run.mocha].flat(), run, root, output);
}

async function runMocha(
  files: readonly string[],
  options: { readonly timeoutMs?: number; readonly jobs?: number },
  root: string,
  output: Output,
): Promise<Counts> {
  const directory = mkdtempSync(join(tmpdir(), "berth-tests-"));
  const file = join(directory, "counts.json");
  try {
    const mocha = join(import.meta.dirname, "../../node_modules/mocha/bin/mocha.js");
    const reporter = ["--reporter", join(import.meta.dirname, "all.reporter.ts"), "--reporter-option", `file=${file}`];
    const timeout = options.timeoutMs === undefined ? [] : ["--timeout", String(options.timeoutMs)];
    const jobs = options.jobs === undefined ? [] : ["--parallel", "--jobs", String(options.jobs)];
    const code = await exitCode([process.execPath, mocha, ...reporter, ...timeout, ...jobs, ...files], root, output);
    return countsFrom(file, code);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A run that ended badly without a failed test (no tests, a crash, an error while loading) counts as one failure. */
function countsFrom(file: string, code: number): Counts {
  let counts: Counts = { passed: 0, failed: 0, problems: [] };
  try {
    counts = JSON.parse(readFileSync(file, "utf8")) as Counts;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (code === 0 || counts.failed > 0) return counts;
  return { ...counts, failed: 1, problems: [`mocha: exit code ${code}, though no test failed`] };
}

async function exitCode(
  [program, ...args]: readonly [string, ...string[]],
  cwd: string,
  output: Output,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const to = typeof output === "object" ? "pipe" : output;
    const child = spawn(program, args, { cwd, stdio: ["ignore", to, to] });
    for (const stream of [child.stdout, child.stderr]) {
      if (typeof output !== "object" || stream === null) continue;
      createInterface(stream).on("line", (line) => process.stdout.write(`[${output.name}] ${line}\n`));
    }
    child.once("error", reject);
    child.once("close", (code) => {
      resolve(code ?? 1);
    });
  });
}

/** What failed, one line per suite, and the sum as the last one. */
export function summary(outcomes: readonly Outcome[]): string {
  const width = Math.max(...outcomes.map(({ name }) => name.length));
  const lines = outcomes.map(({ name, passed, failed, seconds, skipped }) => {
    const result = skipped ? "not run" : `${passed} passed, ${failed} failed, ${seconds.toFixed(1)} s`;
    return `${name.padEnd(width)}  ${result}`;
  });
  const sum = (key: "passed" | "failed") => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  const problems = outcomes.flatMap((outcome) => outcome.problems.map((problem) => `${outcome.name}: ${problem}`));
  return [
    ...(problems.length > 0 ? ["Failed:", ...problems, ""] : []),
    ...lines,
    "",
    `${sum("passed")} passed, ${sum("failed")} failed`,
  ].join("\n");
}

const help = `node tests/support/all.ts [suite …] [--all]

Runs ${suites.map(({ name }) => name).join(", ")}, or the named ones only.
  --all  run lab and labs also after a failure`;

if (import.meta.main) {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { all: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name));
  if (values.help === true || unknown.length > 0) {
    process.stdout.write(`${help}\n`);
    process.exitCode = unknown.length > 0 ? 2 : 0;
  } else {
    const chosen = positionals.length === 0 ? suites : suites.filter(({ name }) => positionals.includes(name));
    const stop = new AbortController();
    // Ctrl-C reaches the suite under way through the terminal; it is given time to clean up, the rest is left out.
    process.on("SIGINT", () => {
      stop.abort();
    });
    await ensurePrograms(["shellcheck"], (step) => {
      process.stdout.write(`${step}\n`);
    });
    const options = {
      root: repository,
      evenAfterFailures: values.all === true,
      output: "inherit",
      signal: stop.signal,
    } as const;
    const outcomes = await runSuites(chosen, options);
    process.stdout.write(`\n${summary(outcomes)}\n`);
    process.exitCode = stop.signal.aborted ? 130 : outcomes.some(({ failed }) => failed > 0) ? 1 : 0;
  }
}
