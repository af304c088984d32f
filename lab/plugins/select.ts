import { execFile } from "node:child_process";
import { access, constants, mkdir, readdir, readlink, realpath, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/** `official` refuses stand-ins, `stand-in` uses nothing else, `auto` uses official plugins where there are some. */
export type PluginMode = "official" | "stand-in" | "auto";

export interface SelectedPlugin {
  /** `nodejs` is the language host, the others are providers. */
  readonly name: string;
  readonly version: string;
  readonly kind: "official" | "stand-in";
  readonly path: string;
}

export interface Selection {
  readonly plugins: readonly SelectedPlugin[];
  /** Directories to put before the rest of PATH: one that holds the chosen stand-ins and nothing else, or none. */
  readonly path: readonly string[];
}

interface Wanted {
  readonly name: string;
  readonly kind: "language" | "resource";
  readonly version: string;
}

/** What the program needs; each provider's plugin has the version of its SDK. */
const packages = {
  nodejs: "@pulumi/pulumi",
  random: "@pulumi/random",
  command: "@pulumi/command",
  docker: "@pulumi/docker",
  cloudflare: "@pulumi/cloudflare",
} as const;

const standIns = join(import.meta.dirname, "bin");

/** Reads `LAB_PLUGINS`. */
export function pluginMode(text: string | undefined): PluginMode {
  const mode = text === undefined || text === "" ? "auto" : text;
  if (mode === "official" || mode === "stand-in" || mode === "auto") return mode;
  throw new Error(`LAB_PLUGINS: must be official, stand-in or auto, got "${mode}"`);
}

/**
 * Decides for each plugin between an official one that this machine has and the stand-in, and lays out `directory` with
 * links to the chosen stand-ins, so that none of them ever shadows an official plugin.
 */
export async function selectPlugins(
  mode: PluginMode,
  options: {
    /** Where the links go, for example `.lab/local/bin`. */
    readonly directory: string;
    /** The engine's own binary: the official language host lies beside it. */
    readonly engine: string;
    readonly env?: NodeJS.ProcessEnv;
  },
): Promise<Selection> {
  const env = options.env ?? process.env;
  const plugins: SelectedPlugin[] = [];
  for (const wanted of wantedPlugins()) {
    const official = mode === "stand-in" ? undefined : await findOfficial(wanted, options.engine, env);
    plugins.push(official ?? standIn(wanted));
  }
  const missing = plugins.filter(({ kind }) => kind === "stand-in");
  if (mode === "official" && missing.length > 0) throw new Error(refusal(missing));
  await layOut(options.directory, missing);
  return { plugins, path: missing.length > 0 ? [options.directory] : [] };
}

function wantedPlugins(): Wanted[] {
  const require = createRequire(import.meta.url);
  return Object.entries(packages).map(([name, sdk]) => {
    const { version, pulumi } = require(`${sdk}/package.json`) as Manifest;
    const kind = name === "nodejs" ? "language" : "resource";
    return { name, kind, version: pulumi?.version ?? version };
  });
}

interface Manifest {
  readonly version: string;
  readonly pulumi?: { readonly version?: string };
}

function fileName({ kind, name }: Pick<Wanted, "kind" | "name">): string {
  return `pulumi-${kind}-${name}`;
}

function standIn({ kind, name, version }: Wanted): SelectedPlugin {
  return { name, version, kind: "stand-in", path: join(standIns, fileName({ kind, name })) };
}

/** Looks where the engine looks, in its order: PATH, beside the engine, its own plugin directory. */
async function findOfficial(
  wanted: Wanted,
  engine: string,
  env: NodeJS.ProcessEnv,
): Promise<SelectedPlugin | undefined> {
  const file = fileName(wanted);
  for (const place of (env["PATH"] ?? "").split(delimiter)) {
    const path = join(place, file);
    if (place === "" || !(await isExecutable(path)) || (await isStandIn(path))) continue;
    return { name: wanted.name, version: await askVersion(path, env), kind: "official", path };
  }
  const beside = join(dirname(await realpath(engine)), file);
  if (wanted.kind === "language" && (await isExecutable(beside)) && !(await isStandIn(beside))) {
    return { name: wanted.name, version: await askVersion(beside, env), kind: "official", path: beside };
  }
  const home = env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const path = join(home, "plugins", `${wanted.kind}-${wanted.name}-v${wanted.version}`, file);
  if (!(await isExecutable(path))) return undefined;
  return { name: wanted.name, version: wanted.version, kind: "official", path };
}

async function isStandIn(path: string): Promise<boolean> {
  // Another checkout has stand-ins too, so the target's name decides, not its place.
  return (await realpath(path)).endsWith("/lab/plugins/bin/stand-in");
}

/** A plugin on PATH is used whatever its version, so the version is only told, not required; not all tell it. */
async function askVersion(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ["-version"], { env, timeout: 10_000 }).catch(() => ({
    stdout: "",
  }));
  return stdout.trim().replace(/^v/, "") || "of a version that it does not tell";
}

function refusal(missing: readonly SelectedPlugin[]): string {
  const lines = missing.map(({ name, version }) =>
    name === "nodejs"
      ? `- pulumi-language-nodejs ${version}: comes with the official pulumi ${version}; put its directory on PATH`
      : `- pulumi-resource-${name} ${version}: pulumi plugin install resource ${name} ${version}`,
  );
  return [`LAB_PLUGINS=official: not all official plugins are on this machine:`, ...lines].join("\n");
}

async function layOut(directory: string, chosen: readonly SelectedPlugin[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  const names = chosen.map(({ path }) => path.slice(standIns.length + 1));
  for (const present of await readdir(directory)) {
    if (!names.includes(present)) await rm(join(directory, present), { recursive: true, force: true });
  }
  for (const [index, { path }] of chosen.entries()) {
    const link = join(directory, names[index] ?? "");
    if ((await readlink(link).catch(() => undefined)) === path) continue;
    const next = `${link}.${process.pid}`;
    await symlink(path, next);
    await rename(next, link);
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
