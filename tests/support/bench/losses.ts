import { readFile, writeFile } from "node:fs/promises";
import { parse } from "yaml";
import { setValue } from "../../../operations/yaml-edit.ts";
import type { TestLab } from "../../lab/support/lab.ts";
import { until } from "../until.ts";
import { must, note, noteLoss, onHost, startLoads, type Bench, type Target } from "./context.ts";

/*
 * A host is gone from one moment to the next, as by a power cut. Full strength is reached when as many tasks of every
 * service run on hosts that are left as should; visitors ask at the edge of another host meanwhile.
 */

const service = "palmistry-frontend";
/** Longest until everything runs again, in milliseconds. */
const patience = 120_000;

export async function losses(bench: Bench): Promise<void> {
  const { lab } = bench;
  const before = await readFile(lab.stackFile, "utf8");
  const { config } = parse(before) as { config: { "berth:volumes": Record<string, string> } };
  // Its stores cannot move to another host, so it is not the one to lose.
  const keeper = Object.values(config["berth:volumes"])[0] ?? "";
  await writeFile(lab.stackFile, setValue(before, ["config", "berth:services", "frontend", "replicas"], 2));
  await lab.mustUp();
  try {
    for (let run = 0; run < bench.runs; run++) {
      await lose(bench, "a manager that does not lead", keeper, (host, leader) => host !== leader);
      await lose(bench, "the manager that leads", keeper, (host, leader) => host === leader);
    }
  } finally {
    for (const { name } of lab.prepared.hosts) await lab.run("docker", "start", container(lab, name));
    await writeFile(lab.stackFile, before);
    await lab.mustUp();
  }
}

async function lose(
  bench: Bench,
  scenario: string,
  keeper: string,
  isVictim: (host: string, leader: string) => boolean,
): Promise<void> {
  const { lab } = bench;
  const hosts = lab.prepared.hosts.map(({ name }) => name).filter((name) => name !== keeper);
  const leader = await leaderBeside(lab, keeper, hosts);
  const victim = hosts.find((host) => isVictim(host, leader)) ?? "";
  const witness = hosts.find((host) => host !== victim) ?? "";
  // Nothing moves back by itself to a host that returned.
  await onHost(lab, witness, `docker service scale --detach=false ${service}=0 && docker service scale ${service}=2`);
  const wanted = await wantedTasks(lab, witness);
  if (!(await runningTasks(lab, witness, wanted)).some(({ name, node }) => name === service && node === victim))
    throw new Error(`${victim} runs nothing that could be lost`);

  const loads = await startLoads(bench, edgeOn(lab, witness), "/");
  await loads.settled();
  const lost = performance.now();
  must(await lab.run("docker", "kill", container(lab, victim)));
  await until(
    `all runs without ${victim}`,
    patience,
    async () => {
      // A swarm without a leader answers nothing.
      const tasks = await runningTasks(lab, witness, wanted).catch(() => []);
      const left = tasks.filter(({ node }) => node !== victim);
      return (
        [...wanted].every(([name, count]) => left.filter((task) => task.name === name).length >= count) || undefined
      );
    },
    250,
  );
  note(bench, scenario, "until full strength", { unit: "s" }, (performance.now() - lost) / 1000);
  await loads.settled();
  const load = await loads.stop();
  noteLoss(bench, scenario, load, {});
  const requests = load.reduce((sum, { requests: made }) => sum + made, 0);
  note(bench, scenario, "requests in all", { unit: "" }, requests);
  const dark = Math.max(...load.map(({ darkMs }) => darkMs));
  note(bench, scenario, "longest time without an answer", { unit: "ms" }, dark);

  must(await lab.run("docker", "start", container(lab, victim)));
  await until(`${victim} is back`, patience, async () => {
    const nodes = await onHost(lab, witness, `docker node ls --format '{{.Status}} {{.ManagerStatus}}'`).catch(
      () => "",
    );
    const ready = nodes.split("\n").filter((node) => /^Ready (Leader|Reachable)$/.test(node));
    return ready.length === lab.prepared.hosts.length || undefined;
  });
}

function container(lab: TestLab, host: string): string {
  return `berth-${lab.lab.name}-${host}`;
}

function edgeOn({ lab, prepared }: TestLab, host: string): Target {
  const port = prepared.hosts.find(({ name }) => name === host)?.httpsPort ?? 0;
  return { origin: `https://${lab.domain}:${port}`, connect: `127.0.0.1:${port}` };
}

/** Name of the manager that leads, after another one has taken over from the keeper of the data if it did. */
async function leaderBeside(lab: TestLab, keeper: string, [asked = ""]: readonly string[]): Promise<string> {
  const find = async (): Promise<string> =>
    onHost(lab, asked, `docker node ls --format '{{.Hostname}} {{.ManagerStatus}}' | sed -n 's/ Leader$//p'`);
  if ((await find()) === keeper)
    await onHost(lab, asked, `docker node demote ${keeper} && docker node promote ${keeper}`);
  return until("another manager leads", 30_000, async () => {
    const leader = await find().catch(() => "");
    return leader === "" || leader === keeper ? undefined : leader;
  });
}

async function wantedTasks(lab: TestLab, asked: string): Promise<Map<string, number>> {
  return readWanted(await onHost(lab, asked, "docker service ls --format '{{.Name}} {{.Replicas}}'"));
}

async function runningTasks(lab: TestLab, asked: string, services: ReadonlyMap<string, number>): Promise<Task[]> {
  const format = "--filter desired-state=running --format '{{.Name}} {{.Node}} {{.CurrentState}}'";
  return readRunning(await onHost(lab, asked, `docker service ps ${format} ${[...services.keys()].join(" ")}`));
}

export interface Task {
  /** Of its service. */
  readonly name: string;
  readonly node: string;
}

/** How many tasks each service should have, but for jobs that have ended, from what `docker service ls` prints. */
export function readWanted(list: string): Map<string, number> {
  const services = [...list.matchAll(/^(\S+) \d+\/(\d+)(?!.*completed)/gm)];
  return new Map(services.map(([, name = "", count]) => [name, Number(count)]));
}

/** Tasks that run, from what `docker service ps` prints. */
export function readRunning(list: string): Task[] {
  return [...list.matchAll(/^(\S+)\.\S+ (\S+) Running /gm)].map(([, name = "", node = ""]) => ({ name, node }));
}
