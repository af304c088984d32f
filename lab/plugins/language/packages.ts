import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  /** Present in the SDK of a provider. */
  readonly pulumi?: {
    readonly resource?: boolean;
    readonly name?: string;
    readonly version?: string;
    readonly server?: string;
  };
}

export interface RequiredPlugin {
  readonly name: string;
  readonly version: string;
  readonly server: string;
}

/** The plugins that the program's direct dependencies ask for, each at the version of its SDK. */
export function requiredPlugins(programDirectory: string): RequiredPlugin[] {
  const root = packageRoot(programDirectory);
  if (root === undefined) return [];
  const names = Object.keys(readManifest(root).dependencies ?? {});
  return names.flatMap((name) => {
    const directory = installed(root, name);
    if (directory === undefined) return [];
    const manifest = readManifest(directory);
    return manifest.pulumi?.resource === true ? [pluginOf(name, manifest)] : [];
  });
}

/** Installed versions of the direct dependencies, or of everything that is installed. */
export function programDependencies(
  programDirectory: string,
  transitive: boolean,
): { name: string; version: string }[] {
  const root = packageRoot(programDirectory);
  if (root === undefined) throw new Error(`no package.json in ${programDirectory} or above it`);
  const lockFile = join(root, "package-lock.json");
  if (!existsSync(lockFile)) throw new Error(`no package-lock.json in ${root}: run npm install first`);
  const lock = JSON.parse(readFileSync(lockFile, "utf8")) as LockFile;
  const direct = { ...lock.packages?.[""]?.dependencies, ...lock.packages?.[""]?.devDependencies };
  return Object.entries(lock.packages ?? {}).flatMap(([path, { version }]) => {
    const name = path.split("node_modules/").at(-1) ?? "";
    if (path === "" || version === undefined) return [];
    return transitive || (path === `node_modules/${name}` && name in direct) ? [{ name, version }] : [];
  });
}

interface LockFile {
  readonly packages?: Readonly<Record<string, Manifest>>;
}

export function packageRoot(directory: string): string | undefined {
  if (existsSync(join(directory, "package.json"))) return directory;
  return directory === dirname(directory) ? undefined : packageRoot(dirname(directory));
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;
}

function installed(directory: string, name: string): string | undefined {
  const candidate = join(directory, "node_modules", name);
  if (existsSync(join(candidate, "package.json"))) return candidate;
  return directory === dirname(directory) ? undefined : installed(dirname(directory), name);
}

function pluginOf(packageName: string, { version, pulumi }: Manifest): RequiredPlugin {
  const name = pulumi?.name ?? (packageName.startsWith("@pulumi/") ? packageName.slice("@pulumi/".length) : undefined);
  if (name === undefined)
    throw new Error(`${packageName}: its package.json has no pulumi.name, so its plugin is unknown`);
  const wanted = pulumi?.version ?? version ?? "";
  return { name, version: wanted.startsWith("v") ? wanted : `v${wanted}`, server: pulumi?.server ?? "" };
}
