import { createRequire } from "node:module";
import { access, constants, link, mkdir, readFile, readdir, realpath, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureGo } from "./go.ts";
import { isAlive } from "./lock.ts";
import { pluginMode, selectPlugins } from "./plugins/select.ts";
import type { PluginMode, SelectedPlugin } from "./plugins/select.ts";
import { run } from "./run.ts";
import { readIfThere } from "./state.ts";

export { selectPlugins } from "./plugins/select.ts";
export type { PluginMode, SelectedPlugin, Selection } from "./plugins/select.ts";

/** What runs the programs: `pulumi` and the plugins it will use. */
export interface Engine {
  readonly pulumi: Pulumi;
  readonly plugins: readonly SelectedPlugin[];
  /** To be put before the rest of PATH. */
  readonly path: readonly string[];
  /** Further variables that the choice needs. */
  readonly env: Readonly<Record<string, string>>;
  /** Which parts are official and which are not, for people. */
  readonly summary: readonly string[];
}

export interface Pulumi {
  readonly version: string;
  readonly path: string;
  /** `official`: found on this machine. `built`: made here from the engine's own Go module. */
  readonly kind: "official" | "built";
}

/** Brings the engine and chooses its plugins as `LAB_PLUGINS` says. */
export async function ensureEngine(
  lab: { readonly directory: string; readonly cache: string },
  report: (step: string) => void,
  mode: PluginMode = pluginMode(process.env["LAB_PLUGINS"]),
): Promise<Engine> {
  const pulumi = await findPulumi(report, lab.cache);
  const { plugins, path } = await selectPlugins(mode, { directory: join(lab.directory, "bin"), engine: pulumi.path });
  const standIns = plugins.filter(({ kind }) => kind === "stand-in");
  return {
    pulumi,
    plugins,
    path: [...path, dirname(pulumi.path)],
    // With a stand-in at work a missing plugin must not be answered by a download that can't succeed.
    env: standIns.length > 0 ? { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" } : {},
    summary: summarise(pulumi, plugins),
  };
}

function summarise(pulumi: Pulumi, plugins: readonly SelectedPlugin[]): string[] {
  const origin = pulumi.kind === "official" ? "official" : "built here from its Go module";
  const named = (wanted: SelectedPlugin["kind"]) => {
    const chosen = plugins.filter(({ kind }) => kind === wanted).map(({ name, version }) => `${name} ${version}`);
    return chosen.length > 0 ? [`${wanted} plugins: ${chosen.join(", ")}`] : [];
  };
  return [`engine: pulumi ${pulumi.version}, ${origin} (${pulumi.path})`, ...named("official"), ...named("stand-in")];
}

const module_ = "github.com/pulumi/pulumi/pkg/v3";

/** The engine and the SDK are released together; one version is pinned for both. */
export function pinnedVersion(): string {
  const manifest = createRequire(import.meta.url)("@pulumi/pulumi/package.json") as { readonly version: string };
  return manifest.version;
}

/**
 * Finds the engine at the pinned version: on PATH, where its installer puts it, or in the cache, and builds it into the
 * cache when there is none. Building takes some minutes, once per machine and version.
 */
export async function findPulumi(report: (step: string) => void, cache: string): Promise<Pulumi> {
  const version = pinnedVersion();
  const built = join(cache, "engine", version, "pulumi");
  for (const path of await installed(built)) {
    const found = await versionOf(path);
    if (found === version) return { version, path, kind: "official" };
    report(`${path} is version ${found}, not the pinned ${version}: it is left alone`);
  }
  if (!(await isExecutable(built))) await build(built, version, cache, report);
  return { version, path: built, kind: "built" };
}

/** Every `pulumi` on PATH, first come first, and the one of the official installer; not our own. */
async function installed(built: string): Promise<string[]> {
  const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const places = [...(process.env["PATH"] ?? "").split(delimiter), join(home, "bin")];
  const found = new Map<string, string>();
  for (const place of places) {
    const path = join(place, "pulumi");
    if (place === "" || !(await isExecutable(path))) continue;
    const real = await realpath(path);
    if (path !== built && !found.has(real)) found.set(real, path);
  }
  return [...found.values()];
}

async function versionOf(path: string): Promise<string> {
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  return (await run([path, "version"], { env })).trim().replace(/^v/, "");
}

async function build(target: string, version: string, cache: string, report: (step: string) => void): Promise<void> {
  await whileAlone(`${dirname(target)}.lock`, report, async () => {
    if (await isExecutable(target)) return; // Another process has just built it.
    await removeLeftovers(dirname(dirname(target)));
    report(`no pulumi ${version} on this machine: building it from its Go module, some minutes, once`);
    const env = await ensureGo(cache, report);
    const workshop = `${dirname(target)}.build-${process.pid}`;
    await mkdir(workshop, { recursive: true });
    try {
      await compile(workshop, version, env, report);
      const next = join(workshop, "pulumi");
      const found = await versionOf(next);
      if (found !== version) throw new Error(`the engine was built, but calls itself ${found}, not ${version}`);
      await mkdir(dirname(target), { recursive: true });
      await rename(next, target);
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
  });
}

async function compile(
  workshop: string,
  version: string,
  env: NodeJS.ProcessEnv,
  report: (step: string) => void,
): Promise<void> {
  report("fetching the engine's Go module");
  const described = await run(["go", "mod", "download", "-json", `${module_}@v${version}`], { cwd: workshop, env });
  const { GoMod } = JSON.parse(described) as { readonly GoMod: string };
  await writeFile(join(workshop, "go.mod"), renderGoMod(await readFile(GoMod, "utf8"), version));
  report("compiling the engine");
  let compiled = 0;
  const onLine = (line: string) => {
    // With -v go names each package that it compiles.
    if (/^go: downloading/.test(line) || ++compiled % 100 !== 0) return;
    report(`compiling the engine: ${compiled} packages done`);
  };
  const flags = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  const args = ["-v", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", join(workshop, "pulumi")];
  await run(["go", "build", ...args, `${module_}/cmd/pulumi`], { cwd: workshop, env, onLine });
}

/**
 * A module that needs nothing but the engine. Go ignores the `replace` lines of a dependency, so those that name
 * another module are repeated; the ones that name a directory belong to the engine's own repository.
 */
export function renderGoMod(upstream: string, version: string): string {
  const go = /^go (\S+)$/m.exec(upstream)?.[1] ?? "1.25";
  const replaces = upstream.match(/^(?:replace )?\s*\S+(?: \S+)? => [^./\s]\S* v\S+$/gm) ?? [];
  const lines = replaces.map((line) => `replace ${line.trim().replace(/^replace /, "")}`);
  return [`module engine`, ``, `go ${go}`, ``, `require ${module_} v${version}`, ``, ...lines, ``].join("\n");
}

/** Lets one process build while the others wait for it; a lock whose owner is gone is taken over. */
async function whileAlone(lock: string, report: (step: string) => void, work: () => Promise<void>): Promise<void> {
  await mkdir(dirname(lock), { recursive: true });
  const mine = `${lock}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    let told = false;
    while (!(await taken(mine, lock))) {
      const owner = Number(await readIfThere(lock));
      if (!isAlive(owner)) await rm(lock, { force: true });
      else {
        if (!told) report(`waiting for process ${owner}, which is building the same engine`);
        told = true;
        await sleep(500);
      }
    }
    try {
      await work();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

async function taken(mine: string, lock: string): Promise<boolean> {
  try {
    await link(mine, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** What killed builds have left. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const owner = /\.(?:build-|lock\.)(\d+)$/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
