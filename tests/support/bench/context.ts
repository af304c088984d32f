import type { Result, TestLab } from "../../lab/support/lab.ts";
import { startLoad, type LoadResult } from "../load.ts";
import { until } from "../until.ts";
import type { Measure, Measures } from "./measure.ts";

/* What scenarios are given, and what they have in common. */

export interface Bench {
  readonly lab: TestLab;
  /** Seconds that the lab took to make, when it was made for this run. */
  readonly made?: number | undefined;
  readonly measures: Measures;
  readonly runs: number;
  /** Requests per second: five sixths on kept connections, the rest each on one of its own. */
  readonly rate: number;
  readonly say: (line: string) => void;
}

export interface Scenario {
  readonly name: string;
  /** How many hosts its lab has. One with several is run only when it is named. @default 1 */
  readonly hosts?: number;
  /** The hosts of its lab are as their installer left them. It is run only when it is named. @default false */
  readonly bare?: boolean;
  /** Requests per second, unless somebody asks for another number; 0 without load. @default 300 */
  readonly rate?: number;
  run(bench: Bench): Promise<void>;
}

/** Where a site answers. */
export interface Target {
  /** `https://palmistry.test:8443`; its host is also the TLS server name. */
  readonly origin: string;
  /** `127.0.0.1:8443`. */
  readonly connect: string;
}

export type What = Pick<Measure, "unit" | "goal" | "baseline">;

/** What was replaced stops two seconds after the swarm has taken its name away, and then drains for three. */
const settlingSeconds = 5;

/** Longest any change may take before its load ends by itself, in seconds. */
export const bound = 120;

/** At the host's address, as others are: at 127.0.0.1 a program of Docker's would pass everything on, once more. */
export function edgeOf({ origin, prepared }: TestLab): Target {
  return { origin, connect: `${prepared.hosts[0]?.address ?? ""}:443` };
}

/** Requests per second with keep-alive, and without. */
function shares(rate: number): [kept: number, single: number] {
  return [Math.round((rate * 5) / 6), Math.round(rate / 6)];
}

export interface Loads {
  /** Until as many requests were made again as in a second, or several: what comes after a change belongs to it. */
  settled(seconds?: number): Promise<void>;
  stop(): Promise<LoadResult[]>;
}

export async function startLoads({ rate }: Pick<Bench, "rate">, target: Target, path = "/api/version"): Promise<Loads> {
  const [kept, single] = shares(rate);
  const common = { url: `${target.origin}${path}`, connect: target.connect, seconds: bound };
  const running = await Promise.all([
    startLoad({ ...common, rate: kept }),
    startLoad({ ...common, rate: single, keepAlive: false }),
  ]);
  const made = () => running.map((load) => load.progress()?.requests ?? 0);
  return {
    settled: async (seconds = 1) => {
      const before = made();
      const enough = (now: number[]) =>
        now.every((count, index) => count - (before[index] ?? 0) >= seconds * shares(rate)[index]!);
      await until("there was enough load", 30_000, () => (enough(made()) ? true : undefined));
    },
    stop: async () => Promise.all(running.map(async (load) => load.stop())),
  };
}

/** Steady requests to the lab's edge while something happens, and for as long as it may have an after-effect. */
export async function underLoad<T>(
  bench: Bench,
  change: () => Promise<T>,
  path?: string,
): Promise<{ value: T; load: LoadResult[] }> {
  const loads = await startLoads(bench, edgeOf(bench.lab), path);
  try {
    const value = await change();
    await loads.settled(settlingSeconds);
    return { value, load: await loads.stop() };
  } catch (error) {
    await loads.stop();
    throw error;
  }
}

export function noteLoss(
  bench: Bench,
  scenario: string,
  [kept, single]: readonly LoadResult[],
  what: Pick<What, "goal"> = { goal: 0 },
): void {
  for (const [load, words] of [
    [kept, "with keep-alive"],
    [single, "without keep-alive"],
  ] as const) {
    if (!load) continue;
    note(bench, scenario, `failed requests ${words}`, { unit: "", ...what }, load.failed);
    if (load.failed > 0) bench.say(`    ${JSON.stringify(load.reasons)} of ${load.requests}`);
  }
}

export function note(bench: Bench, scenario: string, quantity: string, what: What, value: number): void {
  bench.measures.add({ scenario, quantity, ...what }, value);
  bench.say(`  ${scenario}: ${quantity}: ${what.unit === "s" ? `${value.toFixed(2)} s` : `${value} ${what.unit}`}`);
}

export function must(result: Result): Result {
  if (result.code !== 0) throw new Error(`ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  return result;
}

export function refused(result: Result): Result {
  if (result.code === 0) throw new Error(`a bad release went green:\n${result.stdout}`);
  return result;
}

/** Runs a script on a host of the lab, past SSH, and gives what it printed. */
export async function onHost(lab: TestLab, host: string, script: string): Promise<string> {
  const result = await lab.run("docker", "exec", `berth-${lab.lab.name}-${host}`, "sh", "-euc", script);
  return must(result).stdout.trim();
}
