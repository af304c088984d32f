import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { systemSchema } from "../../../components/config/system.ts";
import { sshCommand } from "../../../components/fleet/ssh.ts";
import { healthBudgetMs } from "../../../components/service/workload.ts";
import { setValue } from "../../../operations/yaml-edit.ts";
import palmistry from "../../../systems/palmistry/system.ts";
import type { Result, TestLab } from "../../lab/support/lab.ts";
import { switchOverMs, type LoadResult } from "../load.ts";
import { until } from "../until.ts";
import { must, note, noteLoss, refused, underLoad, type Bench, type Scenario, type What } from "./context.ts";
import { bootstrap } from "./bootstrap.ts";
import { edge } from "./edge.ts";
import { heldThroughDeploy, heldThroughEdge } from "./held.ts";
import { losses } from "./losses.ts";
import { throughput } from "./throughput.ts";
import { timePreviews, timeSystem } from "./previews.ts";

const root = join(import.meta.dirname, "../../..");
const [old, fresh] = ["1.0.0", "1.1.0"];

/** A service whose image changes. */
interface Upgraded {
  /** Its name in the system, and that of its pin. */
  readonly key: "api" | "frontend";
  readonly replicas: number;
  /** What answers with the version that a task runs. */
  readonly path: string;
  /** In its row of the table. */
  readonly words: string;
}

const one: Upgraded = { key: "frontend", replicas: 1, path: "/version", words: "one image, 1 replica" };
const three: Upgraded = { key: "frontend", replicas: 3, path: "/version", words: "one image, 3 replicas" };
const migrated: Upgraded = {
  key: "api",
  replicas: 3,
  path: "/api/version",
  words: "one image, 3 replicas, with its migration",
};

const imageOf = ({ key }: Pick<Upgraded, "key">, tag: string) => ({ [key]: `palmistry-${key}:${tag}` });
const reference = ({ key, replicas }: Upgraded) => `docker service update, ${key} × ${replicas}`;

export const scenarios: readonly Scenario[] = [
  { name: "start", rate: 0, run: start },
  { name: "previews", rate: 0, run: previews },
  { name: "unchanged", rate: 0, run: unchanged },
  { name: "upgrade-1", run: async (bench) => upgrade(bench, one, 5) },
  { name: "upgrade-3", run: async (bench) => scaledTo(bench, three, async () => upgrade(bench, three, 8)) },
  { name: "upgrade-migrated", run: async (bench) => upgrade(bench, migrated, 8) },
  { name: "broken", run: broken },
  { name: "rollback", run: rollback },
  { name: "held-deploy", rate: 0, run: heldThroughDeploy },
  { name: "held-edge", rate: 0, run: heldThroughEdge },
  { name: "edge", rate: 500, run: edge },
  { name: "throughput", rate: 0, run: throughput },
  { name: "lab", rate: 0, run: labAgain },
  { name: "losses", hosts: 3, rate: 100, run: losses },
  { name: "bootstrap", hosts: 3, bare: true, rate: 0, run: bootstrap },
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

/** The first preview of a system: by its number of services, whose slope is what one costs, and of a real one. */
async function previews(bench: Bench): Promise<void> {
  const scenario = "preview without a host";
  const counts = [1, 5, 17, 50] as const;
  await timePreviews(counts, bench.runs, (seconds) => {
    for (const [index, services] of counts.entries())
      note(bench, scenario, `${services} equal services`, { unit: "s" }, seconds[index] ?? 0);
    const slope = ((seconds[3] ?? 0) - (seconds[0] ?? 0)) / (counts[3] - counts[0]);
    note(bench, scenario, "each further service", { unit: "ms" }, slope * 1000);
  });
  await timeSystem("my-saas-chat", "staging", bench.runs, (seconds) => {
    note(bench, scenario, "my-saas-chat, 15 services and 5 stores", { unit: "s", goal: 5 }, seconds);
  });
}

async function unchanged(bench: Bench): Promise<void> {
  for (let run = 0; run < bench.runs; run++) {
    const preview = must(await bench.lab.pulumi("preview", "--expect-no-changes"));
    note(bench, "no change", "pulumi preview", { unit: "s", goal: 5 }, preview.seconds);
    note(bench, "no change", "pulumi up, all services asked", { unit: "s" }, must(await bench.lab.up()).seconds);
  }
}

async function upgrade(bench: Bench, what: Upgraded, goal: number): Promise<void> {
  const { lab } = bench;
  const baseline = (quantity: string): What["baseline"] => `${reference(what)}: ${quantity}`;
  await byHand(bench, what);
  for (let run = 0; run < bench.runs; run++) {
    const unchanged = must(await lab.up());
    await lab.pin(imageOf(what, fresh));
    const { value, load } = await underLoad(bench, async () => must(await lab.up()), what.path);
    note(bench, what.words, "pulumi up", { unit: "s", goal, baseline: baseline("until done") }, value.seconds);
    note(bench, what.words, "of which without a change", { unit: "s" }, unchanged.seconds);
    const added = value.seconds - unchanged.seconds;
    note(bench, what.words, "of which the change", { unit: "s", baseline: baseline("until done") }, added);
    noteLoss(bench, what.words, load);
    noteMixed(bench, what.words, load, { goal: 2, baseline: baseline("old and new answers mixed") });
    await lab.reset();
  }
}

/** The same change with the same settings of the service, by Docker's own command on the manager. */
async function byHand(bench: Bench, what: Upgraded): Promise<void> {
  const { lab } = bench;
  const scenario = reference(what);
  for (let run = 0; run < bench.runs; run++) {
    const images = await pins(lab, what);
    const update = async (image: string) => must(await updateService(lab, `palmistry-${what.key}`, image));
    await settled(lab, what.path);
    const { value, load } = await underLoad(bench, async () => update(images.fresh), what.path);
    note(bench, scenario, "until done", { unit: "s" }, value.seconds);
    noteLoss(bench, scenario, load, {});
    noteMixed(bench, scenario, load, {});
    await update(images.present);
  }
  // What the swarm runs is what it was, but it was not Pulumi that said so last.
  await lab.mustUp();
}

/** Until visitors get the old version alone: those that drain after the change before would be taken for new ones. */
async function settled(lab: TestLab, path: string): Promise<void> {
  let since = Date.now();
  await until(`${path} answers ${old} alone`, 30_000, async () => {
    if ((await lab.get(path)).body.trim() !== old) since = Date.now();
    return Date.now() - since > 3000 ? true : undefined;
  });
}

async function updateService(lab: TestLab, service: string, image: string): Promise<Result> {
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
  await rollbackOf(bench, one, 6);
  await rollbackOf(bench, migrated);
}

async function rollbackOf(bench: Bench, what: Upgraded, goal?: number): Promise<void> {
  const { lab } = bench;
  const scenario = `rollback, ${what.words}`;
  for (let run = 0; run < bench.runs; run++) {
    await lab.pin(imageOf(what, fresh));
    await lab.mustUp();
    const { value, load } = await underLoad(bench, async () => must(await lab.berth("rollback", "--yes")), what.path);
    const unit = { unit: "s", ...(goal !== undefined && { goal }) } as const;
    note(bench, scenario, "berth rollback, verified", unit, value.seconds);
    noteLoss(bench, scenario, load);
  }
}

async function labAgain(bench: Bench): Promise<void> {
  if (bench.made !== undefined)
    note(bench, "npm run lab", "a new lab, images and engine cached", { unit: "s" }, bench.made);
  const { name, httpPort, httpsPort } = bench.lab.lab;
  const args = ["--name", name, "--http-port", String(httpPort), "--https-port", String(httpsPort)];
  const again = must(await bench.lab.run("node", "lab/main.ts", ...args));
  note(bench, "npm run lab", "again, nothing changed", { unit: "s", goal: 60 }, again.seconds);
}

function noteMixed(bench: Bench, scenario: string, loads: readonly LoadResult[], what: Omit<What, "unit">): void {
  const mixed = loads.map((load) => switchOverMs(load, old, fresh)).filter((value) => value !== undefined);
  if (mixed.length === 0) throw new Error(`${scenario}: the load saw no change of version`);
  note(bench, scenario, "old and new answers mixed", { unit: "s", ...what }, Math.max(0, ...mixed) / 1000);
}

async function scaledTo(bench: Bench, { key, replicas }: Upgraded, work: () => Promise<void>): Promise<void> {
  const { lab } = bench;
  const before = await readFile(lab.stackFile, "utf8");
  const path = ["config", "berth:services", key, "replicas"];
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
async function pins(lab: TestLab, what: Upgraded): Promise<{ present: string; fresh: string }> {
  const text = await readFile(lab.stackFile, "utf8");
  await lab.pin(imageOf(what, fresh));
  const changed = await readFile(lab.stackFile, "utf8");
  await writeFile(lab.stackFile, text);
  return { present: pinIn(text, what), fresh: pinIn(changed, what) };
}

function pinIn(text: string, { key }: Upgraded): string {
  const { config } = parse(text) as { config: { "berth:images": Record<Upgraded["key"], string> } };
  return config["berth:images"][key];
}
