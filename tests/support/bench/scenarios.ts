import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { systemSchema } from "../../../components/config/system.ts";
import { sshCommand } from "../../../components/fleet/ssh.ts";
import { healthBudgetMs } from "../../../components/service/workload.ts";
import { setValue } from "../../../operations/yaml-edit.ts";
import palmistry from "../../../systems/palmistry/system.ts";
import type { Result, TestLab } from "../../lab/support/lab.ts";
import { startLoad, startSockets, switchOverMs, type LoadResult } from "../load.ts";
import type { Measure, Measures } from "./measure.ts";
import { timePreviews } from "./previews.ts";

export interface Bench {
  readonly lab: TestLab;
  readonly measures: Measures;
  readonly runs: number;
  /** Requests per second: five sixths on kept connections, the rest each on one of its own. */
  readonly rate: number;
  readonly say: (line: string) => void;
}

export interface Scenario {
  readonly name: string;
  run(bench: Bench): Promise<void>;
}

type What = Pick<Measure, "unit" | "goal" | "baseline">;

const root = join(import.meta.dirname, "../../..");
const [old, fresh] = ["1.0.0", "1.1.0"];
const service = "palmistry-api";
/** Longest any change may take before its load ends by itself. */
const bound = 120;

const reference = (replicas: number) => `docker service update, ${replicas} replicas`;

export const scenarios: readonly Scenario[] = [
  { name: "start", run: start },
  { name: "previews", run: previews },
  { name: "unchanged", run: unchanged },
  { name: "upgrade-3", run: async (bench) => upgrade(bench, 3, 8) },
  { name: "upgrade-1", run: async (bench) => scaledTo(bench, 1, async () => upgrade(bench, 1, 5)) },
  { name: "broken", run: broken },
  { name: "rollback", run: rollback },
  { name: "sockets", run: sockets },
  { name: "lab", run: labAgain },
];

/** What every `pulumi` command pays before the program does anything of its own. */
async function start(bench: Bench): Promise<void> {
  const imports = /from "(\.\/components\/[^"]+)"/g;
  const modules = [...(await readFile(join(root, "index.ts"), "utf8")).matchAll(imports)].map(
    (match) => match[1] ?? "",
  );
  const program = `await Promise.all(${JSON.stringify(modules)}.map((name) => import(name)))`;
  for (let run = 0; run < bench.runs; run++) {
    const cli = await bench.lab.run("pulumi", "version");
    note(bench, "start", "pulumi's own start", { unit: "s" }, cli.seconds);
    const loaded = await bench.lab.run("node", "--input-type=module", "--eval", program);
    must(loaded);
    note(bench, "start", "program: Node, SDK and all rooms", { unit: "s", goal: 1 }, loaded.seconds);
  }
}

/** The first preview of a system, by its number of services; the difference of two is what services cost. */
async function previews(bench: Bench): Promise<void> {
  await timePreviews([1, 5, 17, 50], bench.runs, (services, seconds) => {
    const goal = services === 17 ? { goal: 5 } : {};
    note(bench, "preview without a host", `${services} services`, { unit: "s", ...goal }, seconds);
  });
}

async function unchanged(bench: Bench): Promise<void> {
  for (let run = 0; run < bench.runs; run++) {
    const preview = must(await bench.lab.pulumi("preview", "--expect-no-changes"));
    note(bench, "no change", "pulumi preview", { unit: "s", goal: 5 }, preview.seconds);
    note(bench, "no change", "pulumi up, all services asked", { unit: "s" }, must(await bench.lab.up()).seconds);
  }
}

async function upgrade(bench: Bench, replicas: number, goal: number): Promise<void> {
  const { lab } = bench;
  const scenario = `one image, ${replicas} ${replicas === 1 ? "replica" : "replicas"}`;
  const baseline = (quantity: string): What["baseline"] => `${reference(replicas)}: ${quantity}`;
  await byHand(bench, replicas);
  for (let run = 0; run < bench.runs; run++) {
    await lab.pin({ api: `palmistry-api:${fresh}` });
    const { value, load } = await underLoad(bench, async () => must(await lab.up()));
    note(bench, scenario, "pulumi up", { unit: "s", goal, baseline: baseline("until done") }, value.seconds);
    noteLoss(bench, scenario, load);
    noteMixed(bench, scenario, load, { goal: 2, baseline: baseline("old and new answers mixed") });
    await lab.reset();
  }
}

/** The same change with the same settings of the service, by Docker's own command on the manager. */
async function byHand(bench: Bench, replicas: number): Promise<void> {
  const { lab } = bench;
  const scenario = reference(replicas);
  for (let run = 0; run < bench.runs; run++) {
    const images = await pins(lab, { api: `palmistry-api:${fresh}` });
    const { value, load } = await underLoad(bench, async () => must(await updateService(lab, images.fresh)));
    note(bench, scenario, "until done", { unit: "s" }, value.seconds);
    noteLoss(bench, scenario, load, false);
    noteMixed(bench, scenario, load, {});
    must(await updateService(lab, images.present));
  }
  // What the swarm runs is what it was, but it was not Pulumi that said so last.
  await lab.mustUp();
}

async function updateService(lab: TestLab, image: string): Promise<Result> {
  const argv = sshCommand(lab.lab.name, "host1", ["docker", "service", "update", "--quiet", "--image", image, service]);
  return lab.run(argv[0] ?? "ssh", ...argv.slice(1));
}

/** Both bad releases, each tried twice: the second `up` must be as red as the first. */
async function broken(bench: Bench): Promise<void> {
  const { lab } = bench;
  const api = systemSchema.parse(palmistry).services["api"];
  if (api?.kind !== "web") throw new Error("palmistry's api is no web service");
  const goal = healthBudgetMs({ ...api, health: { ...api.health, test: [] } }) / 1000 + 3;
  for (const [tag, words] of [
    ["1.2.0-broken", "never healthy"],
    ["1.3.0-crash", "ends by itself"],
  ] as const) {
    const scenario = `bad release, ${words}`;
    await lab.pin({ api: `palmistry-api:${tag}` });
    const { value, load } = await underLoad(bench, async () => refused(await lab.up()));
    note(bench, scenario, "until red", { unit: "s", goal }, value.seconds);
    note(bench, scenario, "until red, second time", { unit: "s", goal }, refused(await lab.up()).seconds);
    noteLoss(bench, scenario, load);
    const back = must(await lab.berth("rollback", "--yes"));
    note(bench, scenario, "rollback to what is live", { unit: "s" }, back.seconds);
  }
}

async function rollback(bench: Bench): Promise<void> {
  const { lab } = bench;
  for (let run = 0; run < bench.runs; run++) {
    await lab.pin({ api: `palmistry-api:${fresh}` });
    await lab.mustUp();
    const { value, load } = await underLoad(bench, async () => must(await lab.berth("rollback", "--yes")));
    note(bench, "rollback", "berth rollback, verified", { unit: "s", goal: 6 }, value.seconds);
    noteLoss(bench, "rollback", load);
  }
}

/** Sockets that nobody closes: the application keeps them until its grace period ends. */
async function sockets(bench: Bench): Promise<void> {
  const { lab } = bench;
  const count = 50;
  for (let run = 0; run < bench.runs; run++) {
    const held = await startSockets({
      url: `${lab.origin.replace("https", "wss")}/api/ws`,
      connect: `127.0.0.1:${lab.lab.httpsPort}`,
      count,
      seconds: bound,
    });
    await lab.pin({ api: `palmistry-api:${fresh}` });
    const started = Date.now();
    const { seconds } = await lab.mustUp();
    const green = started + seconds * 1000;
    // Held on past the grace period, to see when the application gives them up.
    const result = await held.done;
    const cut = result.cut.filter(({ at }) => at <= green).length + (count - result.opened);
    note(bench, `${count} WebSockets through a deploy`, "cut until the up is green", { unit: "", goal: 0 }, cut);
    const first = Math.min(...result.cut.map(({ at }) => at));
    if (Number.isFinite(first))
      note(
        bench,
        `${count} WebSockets through a deploy`,
        "first cut after the start",
        { unit: "s" },
        (first - started) / 1000,
      );
    await lab.reset();
  }
}

async function labAgain(bench: Bench): Promise<void> {
  const { name, httpPort, httpsPort } = bench.lab.lab;
  const args = ["--name", name, "--http-port", String(httpPort), "--https-port", String(httpsPort)];
  const again = must(await bench.lab.run("node", "lab/main.ts", ...args));
  note(bench, "npm run lab", "again, nothing changed", { unit: "s", goal: 60 }, again.seconds);
}

/** Steady requests while something happens, until the new version answers alone or the change is over. */
async function underLoad<T>({ lab, rate }: Bench, change: () => Promise<T>): Promise<{ value: T; load: LoadResult[] }> {
  const target = { url: `${lab.origin}/api/version`, connect: `127.0.0.1:${lab.lab.httpsPort}`, seconds: bound };
  const running = await Promise.all([
    startLoad({ ...target, rate: Math.round((rate * 5) / 6) }),
    startLoad({ ...target, rate: Math.round(rate / 6), keepAlive: false }),
  ]);
  try {
    return { value: await change(), load: await Promise.all(running.map(async (load) => load.stop())) };
  } catch (error) {
    await Promise.all(running.map(async (load) => load.stop()));
    throw error;
  }
}

function noteLoss(bench: Bench, scenario: string, [kept, single]: readonly LoadResult[], judged = true): void {
  const goal = judged ? { goal: 0 } : {};
  for (const [load, words] of [
    [kept, "with keep-alive"],
    [single, "without keep-alive"],
  ] as const) {
    if (!load) continue;
    note(bench, scenario, `failed requests ${words}`, { unit: "", ...goal }, load.failed);
    if (load.failed > 0) bench.say(`    ${JSON.stringify(load.reasons)} of ${load.requests}`);
  }
}

function noteMixed(bench: Bench, scenario: string, loads: readonly LoadResult[], what: Omit<What, "unit">): void {
  const mixed = loads.map((load) => switchOverMs(load, old, fresh)).filter((value) => value !== undefined);
  if (mixed.length === 0) throw new Error(`${scenario}: the load saw no change of version`);
  note(bench, scenario, "old and new answers mixed", { unit: "s", ...what }, Math.max(0, ...mixed) / 1000);
}

async function scaledTo(bench: Bench, replicas: number, work: () => Promise<void>): Promise<void> {
  const { lab } = bench;
  const before = await readFile(lab.stackFile, "utf8");
  const path = ["config", "berth:services", "api", "replicas"];
  await writeFile(lab.stackFile, setValue(before, path, replicas));
  await lab.mustUp();
  try {
    await work();
  } finally {
    await writeFile(lab.stackFile, before);
    await lab.mustUp();
  }
}

/** References of the present pin and of another image of the lab, whose pin is put back. */
async function pins(
  lab: TestLab,
  wanted: Readonly<Record<"api", string>>,
): Promise<{ present: string; fresh: string }> {
  const text = await readFile(lab.stackFile, "utf8");
  await lab.pin(wanted);
  const changed = await readFile(lab.stackFile, "utf8");
  await writeFile(lab.stackFile, text);
  return { present: apiPin(text), fresh: apiPin(changed) };
}

function apiPin(text: string): string {
  const { config } = parse(text) as { config: { "berth:images": { api: string } } };
  return config["berth:images"].api;
}

function note(bench: Bench, scenario: string, quantity: string, what: What, value: number): void {
  bench.measures.add({ scenario, quantity, ...what }, value);
  bench.say(`  ${scenario}: ${quantity}: ${what.unit === "s" ? `${value.toFixed(2)} s` : value}`);
}

function must(result: Result): Result {
  if (result.code !== 0) throw new Error(`ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  return result;
}

function refused(result: Result): Result {
  if (result.code === 0) throw new Error(`a bad release went green:\n${result.stdout}`);
  return result;
}
