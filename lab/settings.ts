import { homedir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";

/** A lab: its name, its place on disk and the ports people use. Everything else is looked up when needed. */
export interface Lab {
  readonly name: string;
  /** What runs on it now; one lab may have several, each as a Pulumi stack of its own. */
  readonly system: string;
  /** Name of the Pulumi stack. */
  readonly stack: string;
  /** The repository. */
  readonly root: string;
  /** State of this lab: `.lab/<name>`. */
  readonly directory: string;
  /** What outlives labs and may be deleted at any time. */
  readonly cache: string;
  readonly stackFile: string;
  readonly domain: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** How many hosts it is to have; as many as it has, at least one, when nobody says. */
  readonly hosts?: number;
  /** Its hosts have the packages that berth installs, as from a machine image of one's own. @default false */
  readonly prepared?: boolean;
}

/** More than anyone rehearses on one machine. */
const maxHosts = 9;

export const verbs = ["up", "down", "env", "build"] as const;
export type Verb = (typeof verbs)[number];

export class UsageError extends Error {}

/** The system of a lab when nobody names one. */
export const firstSystem = "palmistry";

/** The stack called `local` owns the stack file in the root; others keep theirs with the state of their lab. */
export function labNamed(
  name: string,
  root: string,
  sizes: {
    readonly http: number;
    readonly https: number;
    readonly hosts?: number | undefined;
    readonly prepared?: boolean | undefined;
  },
  env = process.env,
  system = firstSystem,
): Lab {
  const directory = join(root, ".lab", name);
  const stack = system === firstSystem ? name : `${name}-${system}`;
  return {
    name,
    system,
    stack,
    root,
    directory,
    cache: join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth"),
    stackFile: stack === "local" ? join(root, "Pulumi.local.yaml") : join(directory, `Pulumi.${stack}.yaml`),
    domain: `${system}.test`,
    httpPort: sizes.http,
    httpsPort: sizes.https,
    ...(sizes.hosts === undefined ? {} : { hosts: sizes.hosts }),
    ...(sizes.prepared === undefined ? {} : { prepared: sizes.prepared }),
  };
}

/** Arguments that name a stack file to Pulumi; none where Pulumi finds it by itself. */
export function configFileArgs(lab: Pick<Lab, "stack" | "root" | "stackFile">): string[] {
  return lab.stack === "local" ? [] : ["--config-file", relative(lab.root, lab.stackFile)];
}

export function parseCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv, root: string): [Verb, Lab] {
  const { values, positionals } = parse(argv);
  const verb = positionals[0] ?? "up";
  if (!isVerb(verb) || positionals.length > 1)
    throw new UsageError(`must be one of ${verbs.join(", ")}, got "${positionals.join(" ")}"`);
  const name = values.name ?? "local";
  if (!/^[a-z][a-z0-9-]{0,20}$/.test(name))
    throw new UsageError(`--name: must be lower-case letters, digits and hyphens, at most 21, got "${name}"`);
  const ports = {
    http: port("--http-port or LAB_HTTP_PORT", values["http-port"] ?? env["LAB_HTTP_PORT"], 8080),
    https: port("--https-port or LAB_HTTPS_PORT", values["https-port"] ?? env["LAB_HTTPS_PORT"], 8443),
  };
  if (ports.http === ports.https)
    throw new UsageError(`--http-port, --https-port: must differ, got ${ports.http} for both`);
  const hosts = hostCount(values.hosts ?? env["LAB_HOSTS"]);
  const system = values.system ?? env["LAB_SYSTEM"] ?? firstSystem;
  if (!/^[a-z][a-z0-9-]{0,29}$/.test(system))
    throw new UsageError(`--system or LAB_SYSTEM: must be the name of a folder of systems/, got "${system}"`);
  return [verb, labNamed(name, root, { ...ports, hosts }, env, system)];
}

function parse(argv: readonly string[]) {
  const options = {
    name: { type: "string" },
    "http-port": { type: "string" },
    "https-port": { type: "string" },
    hosts: { type: "string" },
    system: { type: "string" },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function isVerb(text: string): text is Verb {
  return (verbs as readonly string[]).includes(text);
}

function hostCount(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxHosts)
    throw new UsageError(`--hosts or LAB_HOSTS: must be a number from 1 to ${maxHosts}, got "${text}"`);
  return count;
}

function port(source: string, text: string | undefined, fallback: number): number {
  const number = text === undefined || text === "" ? fallback : Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new UsageError(`${source}: must be a port between 1 and 65535, got "${text ?? ""}"`);
  return number;
}
