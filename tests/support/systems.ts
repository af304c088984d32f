import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { parse, type Config, type RawConfig } from "../../components/config/load.ts";
import type { SystemInput } from "../../components/config/system.ts";
import { imageKeys } from "../../operations/system.ts";
import { sampleHostKey } from "./sample-config.ts";

/* The systems of the repository with their stack files, as a team has them that has filled in what is its own. */

export type Mapping = Record<string, unknown>;

const root = join(import.meta.dirname, "../..");

export const systemNames = readdirSync(join(root, "systems"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .toSorted();
export const environments = ["staging", "production"] as const;
export type Environment = (typeof environments)[number];

/** A stack file, where it lies and the stack that it is for. */
export interface StackFile {
  readonly path: string;
  readonly stack: string;
  readonly system: string;
  readonly environment: Environment;
  /** What stands below `config`. */
  readonly config: Mapping;
}

/** The stack files in the root, which run palmistry, and those beside each system. */
export const stackFiles: readonly StackFile[] = environments.flatMap((environment) => [
  stackFile(`Pulumi.${environment}.yaml`, environment, "palmistry", environment),
  ...systemNames.map((system) =>
    stackFile(`systems/${system}/${environment}.yaml`, `${system}-${environment}`, system, environment),
  ),
]);

export function stackFileOf(system: string, environment: Environment): StackFile {
  const path = `systems/${system}/${environment}.yaml`;
  const found = stackFiles.find((file) => file.path === path);
  if (!found) throw new Error(`no ${path}`);
  return found;
}

function stackFile(path: string, stack: string, system: string, environment: Environment): StackFile {
  const { config } = parseYaml(readFileSync(join(root, path), "utf8")) as { config: Mapping };
  return { path, stack, system, environment, config };
}

export async function systemOf(name: string): Promise<SystemInput> {
  const module = (await import(join(root, "systems", name, "system.ts"))) as { default: SystemInput };
  return module.default;
}

/** The file with changes laid over it, as Pulumi hands it over. */
export async function rawOf(file: StackFile, changes: Mapping = {}): Promise<RawConfig> {
  const values = { ...file.config, ...changes };
  return {
    stack: file.stack,
    values,
    secretKeys: Object.keys(changes).filter((key) => !key.startsWith("berth:")),
    system: await systemOf(file.system),
    knownSystems: systemNames,
    environment: {},
  };
}

/** The configuration of a system's stack that a team has filled in. */
export async function configOf(system: string, environment: Environment, changes: Mapping = {}): Promise<Config> {
  const file = stackFileOf(system, environment);
  return parse(await rawOf(file, { ...(await filledIn(file)), ...changes }));
}

/** What a team fills in before the first `pulumi up`: everything else in the file has to be right already. */
export async function filledIn(file: StackFile): Promise<Mapping> {
  const { config } = file;
  const hosts = config["berth:hosts"] as Mapping[];
  return {
    "berth:hosts": hosts.map((host, index) => ({
      ...host,
      address: `198.18.0.${index + 1}`,
      hostKey: sampleHostKey,
    })),
    "berth:registry": { address: "registry.test" },
    "berth:images": await pins(file.system),
    "berth:acme": { ...(config["berth:acme"] as Mapping), email: "operations@berth.dev", agreeToTerms: true },
    "berth:cloudflare": {
      ...(config["berth:cloudflare"] as Mapping),
      zoneId: "0".repeat(32),
      ...(hasAccess(config) && { accountId: "1".repeat(32) }),
    },
    "cloudflare:apiToken": "supplied-Cloudflare-token-".padEnd(40, "0"),
    ...(await suppliedSecrets(file.system)),
  };
}

/** A login by Cloudflare Access needs to know the account. */
export const hasAccess = (config: Mapping): boolean => "access" in (config["berth:cloudflare"] as Mapping);

/** A pin for every image that a system names. */
async function pins(system: string): Promise<Record<string, string>> {
  const keys = [...new Set(Object.values(await imageKeys(root, system)))].toSorted();
  return Object.fromEntries(
    keys.map((key) => {
      const digest = createHash("sha256").update(key).digest("hex");
      return [key, `registry.test/${key}:1.0.0@sha256:${digest}`];
    }),
  );
}

/** Secrets that a team must supply, by full key. */
async function suppliedSecrets(system: string): Promise<Record<string, string>> {
  const { secrets = {} } = await systemOf(system);
  const needed = Object.entries(secrets).filter(([, spec]) => spec.kind === "supplied" && spec.optional !== true);
  return Object.fromEntries(needed.map(([name]) => [`${system}:${name}`, `supplied-${name}`]));
}
