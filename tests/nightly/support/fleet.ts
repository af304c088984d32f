import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { parse } from "yaml";
import { setValue } from "../../../operations/yaml-edit.ts";
import { createLab, type TestLab } from "../../lab/support/lab.ts";

export interface HostEntry {
  readonly name: string;
  readonly [key: string]: unknown;
}
interface Status {
  readonly asPinned: boolean;
  readonly problems: readonly string[];
}

/** Until it does not fail; a host that starts, and a swarm that notices, take their time. */
export async function eventually(what: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      await what();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

let shared: Promise<FleetLab> | undefined;

/** Three hosts of a lab, all of them managers with an edge, and what drills ask of them. */
export class FleetLab {
  readonly lab: TestLab;
  readonly hosts = ["host1", "host2", "host3"];
  /** The stack file that every test begins with. */
  pristine: string;

  constructor(lab: TestLab, pristine: string) {
    this.lab = lab;
    this.pristine = pristine;
  }

  /** The one that all files of this folder share: bringing it up takes minutes. It goes with the run's other labs. */
  static async shared(): Promise<FleetLab> {
    shared ??= FleetLab.#create();
    return shared;
  }

  static async #create(): Promise<FleetLab> {
    const lab = await createLab({ hosts: 3 });
    const file = await readFile(lab.stackFile, "utf8");
    // Two of what visitors see, so that the loss of a host leaves one.
    const pristine = setValue(file, ["config", "berth:services", "frontend"], { replicas: 2 });
    await writeFile(lab.stackFile, pristine);
    await lab.mustUp();
    return new FleetLab(lab, pristine);
  }

  /** Whatever a failed test left: the next one finds three hosts that run, and the stack file of before. */
  async restoreAfter(test: { readonly state?: string | undefined } | undefined): Promise<void> {
    if (test?.state !== "failed") return;
    for (const host of this.hosts) await this.lab.run("docker", "start", this.container(host));
    await this.#unlock();
    await eventually(async () => this.restore());
  }

  /** Back to the stack file that every test begins with. */
  async restore(): Promise<void> {
    await writeFile(this.lab.stackFile, this.pristine);
    await this.lab.mustUp();
  }

  /** One that a test left locked takes no part until then. */
  async #unlock(): Promise<void> {
    await eventually(async () => {
      const { code, stdout, stderr } = await this.lab.berth("unlock");
      if (code !== 0) throw new Error(stdout + stderr);
    });
  }

  container(host: string): string {
    return `berth-${this.lab.lab.name}-${host}`;
  }

  /** What a command printed that ran on a host, past SSH and its firewall. */
  async on(host: string, ...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.lab.run("docker", "exec", this.container(host), ...argv);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  async machine(verb: "kill" | "start" | "restart", host: string): Promise<void> {
    assert.equal((await this.lab.run("docker", verb, this.container(host))).code, 0);
  }

  async nodes(asked = "host1"): Promise<string[]> {
    const format = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}";
    return (await this.on(asked, "docker", "node", "ls", "--format", format)).split("\n").toSorted();
  }

  /** Writes one key of the stack file as it was first. */
  async set(key: string, value: unknown): Promise<void> {
    await writeFile(this.lab.stackFile, setValue(this.pristine, ["config", key], value));
  }

  /** Rewrites the hosts of the stack file as it was first. */
  async edit(change: (hosts: readonly HostEntry[]) => readonly HostEntry[]): Promise<void> {
    const { config } = parse(this.pristine) as { config: { "berth:hosts": HostEntry[] } };
    await this.set("berth:hosts", change(config["berth:hosts"]));
  }

  /** What a preview says would change. */
  async changes(): Promise<string[]> {
    const { code, stdout, stderr } = await this.lab.pulumi("preview", "--json");
    assert.equal(code, 0, stderr);
    const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
    return steps
      .filter(({ op }) => op !== "same")
      .map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`)
      .toSorted();
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.lab.berth("status", "--json")).stdout) as Status;
  }

  /** Fails with what `status` finds wrong. */
  async asPinned(): Promise<void> {
    const { problems } = await this.status();
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  /** Hosts on which tasks of a service run, as another one knows. */
  async running(service: string, asked: string): Promise<string[]> {
    const format = "{{.Node}} {{.CurrentState}}";
    const filter = ["--filter", "desired-state=running", "--format", format];
    const tasks = await this.on(asked, "docker", "service", "ps", ...filter, `palmistry-${service}`);
    return tasks.split("\n").flatMap((task) => (/ Running /.test(task) ? [task.split(" ")[0] ?? ""] : []));
  }

  /** Where the edge of a host answers, by its index. */
  edge(host: number): { url: string; connect: string } {
    const port = this.lab.prepared.hosts[host]?.httpsPort ?? 0;
    return { url: `https://${this.lab.lab.domain}:${port}/`, connect: `127.0.0.1:${port}` };
  }
}
