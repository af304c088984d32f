import { execFileSync, spawn, type ChildProcessByStdio } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { ensureEngine } from "../../lab/engine.ts";
import { until } from "../support/until.ts";

/*
 * A Pulumi project without hosts: the program makes one component per pinned image and keeps the list of releases as
 * the real one does. It keeps that in a file instead of a resource, so it needs no plugin but the language host. An
 * image whose tag ends in `-broken` never converges: previews pass, the update fails. `berth:fail` does the same with
 * good images, `berth:refuse` fails previews too.
 */

const repository = fileURLToPath(new URL("../../", import.meta.url));

const program = `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { record } from ${JSON.stringify(join(repository, "components/release/record.ts"))};

const config = new pulumi.Config();
const images = config.requireObject("images");
const settings = { services: config.getObject("services") ?? {} };
if (config.getBoolean("refuse")) throw new pulumi.RunError("berth:refuse: is set");

class Workload extends pulumi.ComponentResource {
  constructor(name, args) {
    super("berth:fixture:Workload", name, args);
    this.registerOutputs(args);
  }
}
for (const [name, image] of Object.entries(images)) new Workload(name, { image });
new Workload("settings", settings);

const before = existsSync("releases.json") ? JSON.parse(readFileSync("releases.json", "utf8")) : [];
const broken = Object.values(images).find((ref) => ref.includes("-broken@"));
if (!pulumi.runtime.isDryRun() && (broken || config.getBoolean("fail"))) throw new pulumi.RunError("does not become healthy");

const now = { at: new Date().toISOString(), by: "Ann <ann@berth.test>" };
export const releases = record(before, { images, settings, system: "s" }, now);
if (!pulumi.runtime.isDryRun()) writeFileSync("releases.json", JSON.stringify(releases));
export const release = releases.at(-1).number;
`;

export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Project {
  readonly root = mkdtempSync(join(tmpdir(), "berth-operations-"));
  readonly stack = "trial";
  #file = join(this.root, "Pulumi.trial.yaml");
  #env: NodeJS.ProcessEnv = {};

  /** Makes the project and its stack. */
  async create(): Promise<void> {
    writeFileSync(
      join(this.root, "Pulumi.yaml"),
      "name: berth\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
    );
    writeFileSync(join(this.root, "package.json"), '{ "type": "module" }\n');
    writeFileSync(join(this.root, "index.ts"), program);
    symlinkSync(join(repository, "node_modules"), join(this.root, "node_modules"));
    mkdirSync(join(this.root, "state"));
    const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth");
    const engine = await ensureEngine({ directory: join(this.root, "lab"), cache }, (step) => {
      process.stderr.write(`${step}\n`);
    });
    this.#env = {
      ...process.env,
      PATH: [...engine.path, process.env["PATH"] ?? ""].join(delimiter),
      PULUMI_BACKEND_URL: `file://${this.root}/state`,
      PULUMI_CONFIG_PASSPHRASE: "operations",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NODE_COMPILE_CACHE: join(cache, "node"),
      ...engine.env,
    };
    delete this.#env["PULUMI_STACK"];
    delete this.#env["PULUMI_CONFIG_PASSPHRASE_FILE"];
    const { code, stderr } = await this.pulumi("stack", "init");
    if (code !== 0) throw new Error(`pulumi stack init: ${stderr}`);
  }

  read(): string {
    return readFileSync(this.#file, "utf8");
  }

  write(text: string): void {
    writeFileSync(this.#file, text);
  }

  moveStackFile(path: string): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(this.#file, target);
    this.#file = target;
  }

  /** What the registry has, by reference. */
  registry(digests: Readonly<Record<string, string>>): void {
    writeFileSync(join(this.root, "registry.json"), JSON.stringify(digests));
  }

  async pulumi(...args: string[]): Promise<Exit> {
    return this.#run("pulumi", [...args, "--non-interactive", "--stack", this.stack]);
  }

  /** `npm run berth -- …` with the registry of the test. */
  async berth(...args: string[]): Promise<Exit> {
    return this.#run(process.execPath, [join(import.meta.dirname, "operations.run.ts"), ...args]);
  }

  /**
   * The same on a terminal; once `prompt` shows and reads keys one by one, `answer` is typed, or the signal sent to
   * berth. Before it reads them a Ctrl-C would be the terminal's own and a signal, too.
   */
  async berthOnTerminal(args: readonly string[], prompt: RegExp, answer: string | { signal: NodeJS.Signals }) {
    const berth = [process.execPath, join(import.meta.dirname, "operations.run.ts"), ...args].join(" ");
    const command = `echo $$ $(tty); exec ${berth}`;
    const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      cwd: this.root,
      env: this.#env,
      stdio: "pipe",
    });
    const ended = exit(child);
    let shown = "";
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: string) => {
        shown += chunk;
        if (prompt.test(shown)) resolve();
      });
      child.once("close", () => {
        resolve();
      });
    });
    const [, pid, terminal] = /^(\d+) (\S+)/.exec(shown) ?? [];
    if (child.exitCode === null && terminal !== undefined) {
      await until("the prompt reads keys", 10_000, () => {
        const settings = execFileSync("stty", ["-F", terminal, "-a"], { encoding: "utf8" });
        return settings.includes("-isig") ? settings : undefined;
      });
      if (typeof answer === "string") child.stdin.write(answer);
      else process.kill(Number(pid), answer.signal);
    }
    return ended;
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }

  async #run(program: string, args: readonly string[]): Promise<Exit> {
    return exit(spawn(program, args, { cwd: this.root, env: this.#env, stdio: ["ignore", "pipe", "pipe"] }));
  }
}

async function exit(child: ChildProcessByStdio<Writable | null, Readable, Readable>): Promise<Exit> {
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}
