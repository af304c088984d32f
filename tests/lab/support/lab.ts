import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { down } from "../../../lab/down.ts";
import { processEnvironment } from "../../../lab/environment.ts";
import { get, type Answer } from "../../../lab/http.ts";
import { isAlive, withLock } from "../../../lab/lock.ts";
import { Progress } from "../../../lab/progress.ts";
import { configFileArgs, labNamed, type Lab } from "../../../lab/settings.ts";
import { pin } from "../../../lab/stack-file.ts";
import { freePorts, readIfThere, writeFileAtomic } from "../../../lab/state.ts";
import { prepare, type PreparedLab } from "../../../lab/up.ts";
import { until } from "../../support/until.ts";
import { setValue } from "../../../operations/yaml-edit.ts";

const root = join(import.meta.dirname, "../../..");

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** A lab of a test's own, beside a running one: random name and ports, state of its own, cached images. */
export class TestLab {
  readonly prepared: PreparedLab;
  readonly lab: Lab;
  readonly stackFile: string;
  /** Complete environment for child processes. */
  readonly env: NodeJS.ProcessEnv;

  constructor(prepared: PreparedLab) {
    this.prepared = prepared;
    this.lab = prepared.lab;
    this.stackFile = prepared.lab.stackFile;
    this.env = processEnvironment(prepared.environment);
  }

  /** Origin of the site as the edge serves it; connect to 127.0.0.1. */
  get origin(): string {
    return `https://${this.lab.domain}:${this.lab.httpsPort}`;
  }

  /** Runs any program in the project root with the lab's environment. */
  async run(command: string, ...args: readonly string[]): Promise<Result> {
    const started = performance.now();
    const child = spawn(command, args, { cwd: root, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (texts.stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (texts.stderr += chunk));
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject).once("close", (status) => {
        resolve(status ?? -1);
      });
    });
    return { code, ...texts, seconds: (performance.now() - started) / 1000 };
  }

  /** `pulumi` on the lab's stack, the stack file named where Pulumi would not find it. */
  async pulumi(...args: readonly string[]): Promise<Result> {
    const [verb = ""] = args;
    const takesFile = ["up", "preview", "refresh", "destroy", "config"].includes(verb);
    const file = takesFile ? configFileArgs(this.lab) : [];
    return await this.run("pulumi", ...args, ...file, "--non-interactive", "--color", "never");
  }

  async up(): Promise<Result> {
    return await this.pulumi("up", "--yes", "--skip-preview");
  }

  /** Brings the stack up and fails with all that Pulumi said when it can't. */
  async mustUp(): Promise<Result> {
    const result = await this.up();
    if (result.code !== 0) throw new Error(`pulumi up ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** `npm run berth -- <verb> <stack> …`, without npm. */
  async berth(verb: string, ...args: readonly string[]): Promise<Result> {
    return await this.run("node", "operations/main.ts", verb, this.lab.stack, ...args, ...configFileArgs(this.lab));
  }

  /** Writes pins of the lab's own images, for example `{ api: "palmistry-api:1.1.0" }`. */
  async pin(images: Readonly<Record<string, string>>): Promise<void> {
    const pushed = JSON.parse((await readIfThere(join(this.lab.directory, "pushed.json"))) ?? "{}") as Pushed;
    const text = Object.entries(images).reduce(
      (current, [key, name]) => {
        const digest = pushed[name]?.digest;
        if (digest === undefined)
          throw new Error(`${name}: was not pushed; use one of ${Object.keys(pushed).join(", ")}`);
        return setValue(current, ["config", "berth:images", key], pin(name, digest));
      },
      await readFile(this.stackFile, "utf8"),
    );
    await writeFile(this.stackFile, text);
  }

  /** All applications at one version, as {@link pin} takes them. */
  static applications(version: string): Record<string, string> {
    return Object.fromEntries(["api", "frontend", "worker"].map((key) => [key, `palmistry-${key}:${version}`]));
  }

  /** Back to the first release, whatever a test left behind. */
  async reset(): Promise<void> {
    await this.pin(TestLab.applications("1.0.0"));
    await this.mustUp();
  }

  /** One request through the edge, on a connection of its own; the certificate is verified. */
  async get(path: string, host = this.lab.domain, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const ca = await this.acmeRoots();
    const url = `https://127.0.0.1:${this.lab.httpsPort}${path}`;
    return await get(url, { ca, headers: { ...headers, Host: host }, servername: host });
  }

  /** The same lab with another system beside what runs there. */
  async beside(system: string): Promise<TestLab> {
    const { name, httpPort, httpsPort, prepared } = this.lab;
    const lab = labNamed(name, root, { http: httpPort, https: httpsPort, prepared }, process.env, system);
    return new TestLab(await withLock(lab.directory, () => prepare(lab, progress)));
  }

  /**
   * Waits until visitors get this version of the API. A stopping task accepts connections for a moment (the
   * application's lame duck of three seconds), so that none is lost before the edge has noticed.
   */
  async answers(version: string): Promise<void> {
    await until(`the API answers ${version}`, 10_000, async () =>
      (await this.get("/api/version")).body === version ? version : undefined,
    );
  }

  /** PEM of the roots that sign the site's certificate. */
  async acmeRoots(): Promise<string> {
    return await readFile(join(this.lab.directory, "acme-root.pem"), "utf8");
  }

  async destroy(): Promise<void> {
    await withLock(this.lab.directory, () => down(this.lab, quiet));
  }
}

type Pushed = Record<string, { readonly digest: string } | undefined>;

const progress = new Progress((text) => process.stderr.write(text));
const quiet = new Progress(() => undefined);

/** What a lab of a test's own is to be like. */
export interface NewLab {
  readonly hosts?: number | undefined;
  readonly system?: string;
  /** See {@link Lab}. */
  readonly prepared?: boolean;
}

/** Everything but the `pulumi up`: that is what a test is about. */
export async function createLab(options: NewLab = {}): Promise<TestLab> {
  const { hosts, system, prepared } = options;
  const name = `t-${randomBytes(4).toString("hex")}`;
  await removeAbandoned();
  const [http = 0, https = 0] = await freePorts(2);
  const lab = labNamed(name, root, { http, https, hosts, prepared }, process.env, system);
  await writeFileAtomic(join(lab.directory, "owner"), String(process.pid));
  return new TestLab(await withLock(lab.directory, () => prepare(lab, progress)));
}

let shared: Promise<TestLab> | undefined;

/** The one lab that all lab tests of a run share, up with release 1.0.0: bringing it up takes minutes. */
export async function sharedLab(): Promise<TestLab> {
  shared ??= createLab().then(async (lab) => {
    await progress.phase("pulumi up", () => lab.mustUp());
    return lab;
  });
  return await shared;
}

/** Has them share a lab that is up with release 1.0.0 already; false when they share one by now. */
export function shareLab(lab: Lab): boolean {
  if (shared) return false;
  shared = withLock(lab.directory, () => prepare(lab, progress)).then((prepared) => new TestLab(prepared));
  return true;
}

// A hook outside of any suite runs once, after all of them. Under anything but mocha the caller destroys the lab.
if (typeof after === "function")
  after(async function () {
    this.timeout(120_000);
    const lab = await shared?.catch(() => undefined);
    await lab?.destroy();
    // A lab that did not come up has containers all the same.
    await removeAbandoned(process.pid);
  });

/** Labs of test runs that were killed: nobody else would remove them. */
async function removeAbandoned(own?: number): Promise<void> {
  for (const name of await readdir(join(root, ".lab")).catch(() => [])) {
    const owner = Number(await readIfThere(join(root, ".lab", name, "owner")));
    if (owner === 0 || Number.isNaN(owner) || (isAlive(owner) && owner !== own)) continue;
    const lab = labNamed(name, root, { http: 0, https: 0 });
    await withLock(lab.directory, () => down(lab, quiet));
  }
}
