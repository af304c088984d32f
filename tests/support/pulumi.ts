import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ensureEngine } from "../../lab/engine.ts";

const root = join(import.meta.dirname, "../..");

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A resource as the state holds it. */
export interface StoredResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** One step of `pulumi preview --json`. */
export interface Step {
  readonly op: string;
  readonly urn: string;
  readonly detailedDiff?: Readonly<Record<string, { readonly kind: string }>> | null;
}

export interface ProjectOptions {
  /** Text of `index.ts`. `settings` is there: what was last given to `project.settings()`. */
  readonly program: string;
  /** Packages whose plugins the engine is to expect. */
  readonly dependencies?: readonly string[];
  /** `runtime.options` of Pulumi.yaml besides those of the repository's own. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** A Pulumi project in a directory of its own, with a file backend and a stack, run by the real CLI. */
export class PulumiProject {
  readonly directory: string;
  readonly stack: string;
  readonly env: NodeJS.ProcessEnv;

  private constructor(directory: string, stack: string, env: NodeJS.ProcessEnv) {
    this.directory = directory;
    this.stack = stack;
    this.env = env;
  }

  static async create(options: ProjectOptions): Promise<PulumiProject> {
    const directory = await mkdtemp(join(tmpdir(), "berth-engine-"));
    const stack = `t${randomBytes(3).toString("hex")}`;
    const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth");
    const engine = await ensureEngine({ directory: join(directory, "lab"), cache }, (step) => {
      process.stderr.write(`${step}\n`);
    });
    const state = join(directory, "state");
    const project = new PulumiProject(directory, stack, {
      ...process.env,
      PATH: [join(root, "node_modules/.bin"), ...engine.path, process.env["PATH"] ?? ""].join(delimiter),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_STACK: stack,
      NODE_COMPILE_CACHE: join(cache, "node"),
      ...engine.env,
      ...options.env,
    });
    await mkdir(state);
    await symlink(join(root, "node_modules"), join(directory, "node_modules"));
    await project.#writeProject(options);
    await project.settings({});
    const { code, stderr } = await project.run("stack", "init", stack);
    if (code !== 0) throw new Error(`pulumi stack init: ${stderr}`);
    return project;
  }

  async #writeProject({ program, dependencies = [], options = {} }: ProjectOptions): Promise<void> {
    const nodeargs = `--require ${join(root, "components/shared/quick-start.cjs")}`;
    const runtime = { name: "nodejs", options: { typescript: false, nodeargs, ...options } };
    await this.write("Pulumi.yaml", JSON.stringify({ name: "engine-test", main: "index.ts", runtime }));
    const versions = Object.fromEntries(dependencies.map((name) => [name, "*"]));
    await this.write("package.json", JSON.stringify({ type: "module", dependencies: versions }));
    await this.write(
      "index.ts",
      `import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { cloudflare, command, docker, random } from ${JSON.stringify(join(root, "components/shared/providers.ts"))};
const settings = JSON.parse(readFileSync("settings.json", "utf8"));
${program}`,
    );
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.directory, file), text);
  }

  /** What the program sees from its next run on. */
  async settings(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.write("settings.json", JSON.stringify(settings));
  }

  async run(...args: readonly string[]): Promise<Result> {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: this.directory,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (texts.stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (texts.stderr += chunk));
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject).once("close", (status) => {
        resolve(status ?? -1);
      });
    });
    return { code, ...texts };
  }

  async up(): Promise<Result> {
    return this.run("up", "--yes", "--skip-preview");
  }

  /** Brings the stack up and fails with all that Pulumi said when it can't. */
  async mustUp(): Promise<Result> {
    const result = await this.up();
    if (result.code !== 0) throw new Error(`pulumi up ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** What an `up` would do, resources that stay as they are left out. */
  async preview(): Promise<readonly Step[]> {
    const { stdout } = await this.run("preview", "--json");
    return (JSON.parse(stdout) as { steps: Step[] }).steps.filter(({ op }) => op !== "same");
  }

  /** True when a preview finds nothing to do. */
  async isSettled(): Promise<boolean> {
    const { code, stdout, stderr } = await this.run("preview", "--expect-no-changes");
    // 7 is "there are changes"; everything else is an error.
    if (code !== 0 && code !== 7) throw new Error(`pulumi preview ended with ${code}:\n${stdout}${stderr}`);
    return code === 0;
  }

  async outputs(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await this.run("stack", "output", "--json", "--show-secrets");
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** The state file as it lies on disk. */
  async state(): Promise<string> {
    const file = join(this.directory, "state/.pulumi/stacks/engine-test", `${this.stack}.json`);
    return readFile(file, "utf8");
  }

  async resource(name: string): Promise<StoredResource | undefined> {
    const state = JSON.parse(await this.state()) as { checkpoint: { latest?: { resources?: StoredResource[] } } };
    return state.checkpoint.latest?.resources?.find(({ urn }) => urn.endsWith(`::${name}`));
  }

  /** Destroys what is left and removes the directory. */
  async remove(): Promise<void> {
    const { code, stdout, stderr } = await this.run("destroy", "--yes", "--skip-preview");
    await rm(this.directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`pulumi destroy ended with ${code}:\n${stdout}${stderr}`);
  }
}
