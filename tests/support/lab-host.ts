import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { host as hostSchema, type Host } from "../../components/config/host.ts";
import { withJumps } from "../../components/config/jump.ts";
import { rootShell } from "../../components/fleet/script.ts";
import { sshConfigPath } from "../../components/fleet/ssh.render.ts";
import { writeSshFiles } from "../../components/fleet/ssh.ts";
import { ensureImages } from "../../lab/build.ts";
import { ensureDocker } from "../../lab/daemon.ts";
import { ensureNetwork, execIn, objectName, removeLabObjects } from "../../lab/docker.ts";
import { ensureHosts, ensureSshKey } from "../../lab/hosts.ts";
import { labImages } from "../../lab/images.ts";
import { labNamed, type Lab } from "../../lab/settings.ts";
import { freePorts } from "../../lab/state.ts";
import { until } from "./until.ts";

const repository = join(import.meta.dirname, "../..");
const stack = "one";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A single machine of a lab, fresh, and the SSH configuration by which berth's own scripts reach it. */
export class LabHost {
  readonly stack = stack;
  readonly host: Host;
  readonly lab: Lab;
  readonly repository = repository;
  /** Where the scripts that run here find the SSH configuration. */
  readonly root: string;

  constructor(host: Host, lab: Lab, root: string) {
    this.host = host;
    this.lab = lab;
    this.root = root;
  }

  static async start(): Promise<LabHost> {
    const [machine] = await LabHost.startSeveral(1);
    if (!machine) throw new Error("the lab has no host");
    return machine;
  }

  /** Machines of one lab, each reached on its own; to remove one removes all. */
  static async startSeveral(count: number): Promise<LabHost[]> {
    const [http = 0, https = 0] = await freePorts(2);
    const lab = labNamed(`t-${randomBytes(4).toString("hex")}`, repository, { http, https, hosts: count });
    await mkdir(lab.directory, { recursive: true });
    const quiet = (): void => undefined;
    const docker = await ensureDocker(lab.cache, quiet);
    const images = labImages(repository, []);
    await ensureImages(docker, lab.cache, [images.base, images.host], quiet);
    const made = await ensureHosts(docker, lab, images, count, await ensureNetwork(docker, lab), quiet);
    const entries = made.map(({ name, sshPort: port, hostKey, address: privateAddress }) =>
      hostSchema.parse({ name, address: "127.0.0.1", port, hostKey, privateAddress, labels: { edge: "true" } }),
    );
    const hosts = withJumps(entries, {});
    const root = await mkdtemp(join(tmpdir(), "berth-one-"));
    const sshKey = await readFile(await ensureSshKey(lab, quiet), "utf8");
    writeSshFiles({ stack, hosts, sshKey }, root);
    return hosts.map((host) => new LabHost(host, lab, root));
  }

  /** Its address on the lab's network. */
  get address(): string {
    return this.host.privateAddress ?? "";
  }

  /** The same machine, reached as this says from now on. */
  async reachedAs(changes: Partial<Host>, others: readonly Host[] = []): Promise<LabHost> {
    const host = { ...this.host, ...changes };
    const sshKey = await readFile(await ensureSshKey(this.lab, () => undefined), "utf8");
    writeSshFiles({ stack, hosts: [host, ...others], sshKey }, this.root);
    return new LabHost(host, this.lab, this.root);
  }

  /** A command inside of it, past SSH and its firewall; what it printed. */
  async inside(...argv: string[]): Promise<string> {
    return execIn(new Docker().getContainer(objectName(this.lab, this.host.name)), argv);
  }

  /** As by a power cut, and until it answers again. */
  async cutPower(): Promise<void> {
    const container = new Docker().getContainer(objectName(this.lab, this.host.name));
    await container.kill();
    await container.start();
    await until(`${this.host.name} answers`, 60_000, async () =>
      (await this.#run(["ssh", "-F", sshConfigPath(stack), this.host.name, "true"], "")).code === 0 ? true : undefined,
    );
  }

  /** A script that runs where Pulumi does. */
  async here(script: string, verb: string): Promise<Outcome> {
    return this.#run(["sh", "-s", verb], script);
  }

  /** A script that the host runs as root. */
  async there(script: string, ...args: readonly string[]): Promise<Outcome> {
    const command = [rootShell(this.host), ...args].join(" ");
    return this.#run(["ssh", "-F", sshConfigPath(stack), this.host.name, command], script);
  }

  /** For steps that must succeed; what they printed. */
  async must(outcome: Promise<Outcome>): Promise<string> {
    const { code, stdout, stderr } = await outcome;
    if (code !== 0) throw new Error(`ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  async remove(): Promise<void> {
    await removeLabObjects(new Docker(), this.lab);
    await rm(this.lab.directory, { recursive: true, force: true });
    await rm(this.root, { recursive: true });
  }

  async #run([program = "", ...args]: readonly string[], input: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = execFile(program, args, { cwd: this.root, maxBuffer: 1e8 }, (error, stdout, stderr) => {
        resolve({ code: error ? (typeof error.code === "number" ? error.code : 1) : 0, stdout, stderr });
      });
      child.stdin?.on("error", () => undefined).end(input);
    });
  }
}
