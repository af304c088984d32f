import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import Docker from "dockerode";
import { configFileArgs } from "../../../lab/settings.ts";
import { createLab, type TestLab } from "../../lab/support/lab.ts";
import { must, note, type Bench, type What } from "./context.ts";

/*
 * Machines as their installer left them, until they are one swarm: what `pulumi up` does before anything runs on them.
 * Once with all cores of this machine for whoever wants them, which hosts of a lab share, and once with a share of
 * their own for each, as machines have: only there may three take little longer than one.
 */

const root = `${import.meta.dirname}/../../..`;
/** What three may take, as a multiple of one. */
const goal = 1.3;
const quantity = "until one swarm";
/** Three of them leave some of two cores to Pulumi. */
const ownCores = 0.3;

export async function bootstrap(bench: Bench): Promise<void> {
  for (let run = 0; run < bench.runs; run++) {
    for (const cores of [undefined, ownCores]) {
      const words = cores === undefined ? "all cores for all" : `${cores} cores for each`;
      const what = (hosts: number) => `${hosts === 1 ? "one host" : "three hosts"}, ${words}`;
      const one = await withLab(1, async (lab) => bootstrapped(lab, cores, bench.say));
      noteAll(bench, what(1), one);
      // The lab of the bench itself comes last: it tells the circumstances.
      const last = run === bench.runs - 1 && cores !== undefined;
      const work = async (lab: TestLab): Promise<Bootstrap> => bootstrapped(lab, cores, bench.say);
      const three = last ? await work(bench.lab) : await withLab(3, work);
      noteAll(bench, what(3), three, { goal: goal * one.seconds, baseline: `${what(1)}: ${quantity}` });
    }
  }
}

function noteAll(bench: Bench, scenario: string, found: Bootstrap, compared: Partial<What> = {}): void {
  note(bench, scenario, quantity, { unit: "s", ...compared }, found.seconds);
  note(bench, scenario, "of which hosts join, one after another", { unit: "s" }, found.joining);
  // Not every kernel tells Docker.
  if (found.work > 0) note(bench, scenario, "processor time of each host", { unit: "s" }, found.work);
  note(bench, scenario, "this machine busy", { unit: "%" }, found.busy);
}

async function withLab<T>(hosts: number, work: (lab: TestLab) => Promise<T>): Promise<T> {
  const lab = await createLab({ hosts });
  try {
    return await work(lab);
  } finally {
    await lab.destroy();
  }
}

interface Bootstrap {
  /** From the first command on a host until the last host is in the swarm. */
  readonly seconds: number;
  /** Of these, those after every host was prepared. */
  readonly joining: number;
  /** Seconds of a core that a host had, on average. */
  readonly work: number;
  /** Share of this machine's cores, in per cent: what else runs on it is in it. */
  readonly busy: number;
}

/** The first `up` as far as the swarm; it is broken off then. */
async function bootstrapped(lab: TestLab, cores: number | undefined, say: (line: string) => void): Promise<Bootstrap> {
  const names = lab.prepared.hosts.map(({ name }) => name);
  const containers = names.map((name) => `berth-${lab.lab.name}-${name}`);
  for (const container of cores === undefined ? [] : containers)
    must(await lab.run("docker", "update", "--cpus", String(cores), container));
  const before = await workOf(containers);
  const options = ["--yes", "--skip-preview", "--non-interactive", "--color", "never"];
  const child = spawn("pulumi", ["up", ...options, ...configFileArgs(lab.lab)], {
    cwd: root,
    env: lab.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject).once("close", () => {
      resolve();
    });
  });
  const said: string[] = [];
  const joined = new Set<string>();
  let began: { at: number; cpu: Cpu } | undefined;
  let prepared = 0;
  let result: Bootstrap | undefined;
  for await (const line of createInterface(child.stdout)) {
    said.push(line);
    const {
      host = "",
      step,
      state,
    } = /fleet-(?<host>host\d+)-(?<step>\w+) (?<state>creating|created)/.exec(line)?.groups ?? {};
    if (state === "created") say(`    ${line.trim()}`);
    if (step === "firewall" && state === "created") prepared = performance.now();
    if (step === "access" && state === "creating") began ??= { at: performance.now(), cpu: await cpu() };
    if (step === "swarm" && state === "created") joined.add(host);
    if (result || !began || joined.size < names.length) continue;
    const now = await cpu();
    const [busy, all] = [now.busy - began.cpu.busy, now.all - began.cpu.all];
    const at = performance.now();
    const work = ((await workOf(containers)) - before) / names.length;
    result = { seconds: (at - began.at) / 1000, joining: (at - prepared) / 1000, work, busy: (100 * busy) / all };
    child.kill("SIGINT");
  }
  await ended;
  if (!result) throw new Error(`pulumi up made no swarm of ${names.join(", ")}:\n${said.join("\n")}`);
  return result;
}

/** Seconds of a core that containers have had since they started. */
async function workOf(containers: readonly string[]): Promise<number> {
  const docker = new Docker();
  const stats = await Promise.all(
    containers.map(async (name) => docker.getContainer(name).stats({ stream: false, "one-shot": true })),
  );
  return stats.reduce((sum, { cpu_stats }) => sum + cpu_stats.cpu_usage.total_usage / 1e9, 0);
}

interface Cpu {
  readonly busy: number;
  readonly all: number;
}

/** What the cores have done since this machine started, in ticks. */
async function cpu(): Promise<Cpu> {
  const [line = ""] = (await readFile("/proc/stat", "utf8")).split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  const [, , , idle = 0, waiting = 0] = ticks;
  return { busy: all - idle - waiting, all };
}
