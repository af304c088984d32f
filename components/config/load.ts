import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { milliseconds } from "../shared/duration.ts";
import { ConfigError, type Problem } from "../shared/errors.ts";
import { parseImageRef, type ImageRef } from "../shared/image-ref.ts";
import { capacityProblems } from "./capacity-rules.ts";
import { certificateRules, resolveCertificates, sourceRules, type Certificate } from "./certificate.ts";
import { check, toProblems, type Finding, type Path } from "./findings.ts";
import type { Firewall } from "./firewall.ts";
import type { EdgeResources } from "./resources.ts";
import type { Host } from "./host.ts";
import { withJumps } from "./jump.ts";
import { withManaged } from "./managed.ts";
import { list, show } from "./refusals.ts";
import { maintenanceRules, resolveSystem, siteRules } from "./resolve.ts";
import { roomRules } from "./room-rules.ts";
import { isSecretKey, secretProblems, suppliedSecrets } from "./secret-rules.ts";
import { stackRules, stackSystemRules, volumeUsers } from "./stack-rules.ts";
import {
  stackSchema,
  type Acme,
  type Cloudflare,
  type DockerEngine,
  type Environment,
  type Registry,
  type Stack,
} from "./stack.ts";
import { systemRules } from "./system-rules.ts";
import { systemSchema, type System } from "./system.ts";

/** Everything that decides what a stack is, checked and frozen. */
export interface Config {
  /** Name of the Pulumi stack. */
  readonly stack: string;
  readonly environment: Environment;
  readonly domain: string;
  /** The system with the stack's sizes and limits, `${domain}` replaced, unset optional secrets left out. */
  readonly system: System;
  readonly hosts: readonly Host[];
  /** Name of the host that keeps each volume, by store or volume. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Raised when the tokens by which hosts join the swarm are to be replaced. */
  readonly joinTokens: number;
  /** What managers keep is encrypted, and each has to be unlocked after a restart. */
  readonly autolock: boolean;
  /** The Docker that the hosts get. */
  readonly docker: DockerEngine;
  readonly firewall: Firewall;
  /** nginx on the edge hosts. */
  readonly edge: { readonly resources: EdgeResources };
  readonly registry: Registry;
  readonly acme: Acme;
  readonly certificates: readonly Certificate[];
  readonly cloudflare: Cloudflare | "none";
  /** The zone's API token and address where the configuration names them, not the environment. */
  readonly cloudflareToken?: pulumi.Output<string>;
  readonly cloudflareUrl?: string;
  readonly images: Readonly<Record<string, ImageRef>>;
  /** What the stack file says about sizes and limits, as it stands there: part of a release, restored by a rollback. */
  readonly settings: Readonly<Pick<Stack, "services" | "limits">>;
  /** Networks whose visitors are answered on routes for operators. */
  readonly operators: readonly string[];
  readonly secretGenerations: Readonly<Record<string, number>>;
  readonly encryptNetworks: boolean;
  readonly convergenceSlackMs: number;
  /** Supplied secrets by name. */
  readonly supplied: Readonly<Record<string, pulumi.Output<string>>>;
  /** Token by which challenges are put into the zone. */
  readonly dnsToken?: pulumi.Output<string>;
  /** Key of the certificate that Cloudflare shows to the edge, where that is the stack's own. */
  readonly originPullKey?: pulumi.Output<string>;
  /** Private key for SSH, in clear: only for files with mode 0600 and for secret-marked inputs. */
  readonly sshKey?: string;
}

/** What `parse` judges: a stack's configuration as Pulumi hands it over, and the system it names. */
export interface RawConfig {
  /** Name of the Pulumi stack. */
  readonly stack: string;
  /** Values by full key, `berth:domain`; structured ones may still be JSON text. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Keys whose values are stored encrypted. */
  readonly secretKeys: readonly string[];
  /** Default export of `systems/<name>/system.ts`; undefined if there is none. */
  readonly system: unknown;
  /** Why the system's file could not be read. */
  readonly systemFailure?: string;
  /** Systems that there are, for the message about one that there is not. */
  readonly knownSystems?: readonly string[];
  /** The Cloudflare token may stand in the environment instead of the configuration. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Judges a configuration as a whole: throws a `ConfigError` with everything that is wrong, or gives the frozen result.
 * Pure: contacts nothing and reads nothing but its argument.
 */
export function parse(raw: RawConfig): Config {
  const document = berthValues(raw);
  if (Object.keys(document).length === 0) throw new ConfigError([nothing(raw)], `stack "${raw.stack}"`);
  const stack = check(stackSchema, document);
  // What is stored as a secret is not looked at, so it is not missing either.
  const findings = stack.findings.filter(({ path }) => !raw.secretKeys.includes(`berth:${path.join(".")}`));
  const here = withManaged(raw.system, stack.rest.managed);
  const system = check(systemSchema, here ?? {});
  const known = raw.system !== undefined;

  const problems: Problem[] = [
    ...toProblems("berth:", findings),
    ...toProblems("berth:", restore(stackRules(stack.rest, raw.stack), stack.original)),
    ...secretProblems(raw, known ? system.rest : undefined),
    ...(known || raw.systemFailure !== undefined ? neighbourProblems(stack.rest.system, raw.knownSystems ?? []) : []),
  ];
  if (known) {
    const sites = stack.rest.domain === undefined ? [] : siteRules(system.rest.edge?.sites ?? [], stack.rest.domain);
    const documents = { stack: document, system: here };
    const { edge } = system.rest;
    const certificates = stack.rest.domain === undefined ? [] : certificateRules(edge ?? {}, stack.rest.domain);
    const rules = [...systemRules(system.rest, here), ...sites, ...certificates];
    problems.push(
      ...toProblems("system", system.findings),
      ...toProblems("system", restore(rules, system.original)),
      ...toProblems("berth:", restore(roomRules(stack.rest, system.rest), stack.original)),
      ...toProblems("berth:", stackSystemRules(stack.rest, system.rest, documents, raw.stack)),
      ...toProblems(
        "berth:",
        restore(
          stack.rest.domain === undefined
            ? []
            : maintenanceRules(stack.rest.maintenance ?? [], system.rest.edge?.sites, stack.rest.domain),
          stack.original,
        ),
      ),
      ...toProblems("berth:", sourceRules(stack.rest, edge ?? {}, here)),
      ...capacityProblems(stack.rest, system.rest),
      ...nameProblems(stack.rest.system, system.rest.name),
    );
  } else if (raw.systemFailure !== undefined) {
    const file = `systems/${stack.rest.system ?? ""}/system.ts`;
    const message = `cannot be read, got ${show(raw.systemFailure)} from ${file}; correct it, \`node ${file}\` shows where`;
    problems.push({ path: "system", message });
  } else if (stack.rest.system !== undefined) {
    const cure = `use ${list(raw.knownSystems ?? [], "or")}, or add systems/${stack.rest.system}/system.ts`;
    problems.push({ path: "berth:system", message: `is not a system, got ${show(stack.rest.system)}; ${cure}` });
  }
  const { whole } = stack;
  if (problems.length > 0 || !whole || !system.whole) throw new ConfigError(problems, `stack "${raw.stack}"`);

  const { supplied, unset } = suppliedSecrets(raw, system.whole);
  const sshKey = raw.values["berth:sshKey"];
  const dnsToken = raw.values["berth:dnsToken"];
  const originPullKey = raw.values["berth:originPullKey"];
  const cloudflareToken = raw.values["cloudflare:apiToken"];
  const cloudflareUrl = raw.values["cloudflare:baseUrl"];
  return freeze({
    stack: raw.stack,
    environment: whole.environment,
    domain: whole.domain,
    system: resolveSystem(system.whole, whole, unset),
    hosts: withJumps(whole.hosts, whole.jumpHosts),
    volumes: Object.fromEntries(
      Object.keys(volumeUsers(system.whole)).map((volume) => [
        volume,
        whole.volumes[volume] ?? whole.hosts[0]?.name ?? "",
      ]),
    ),
    joinTokens: whole.swarm.joinTokens,
    autolock: whole.swarm.autolock,
    docker: whole.docker,
    firewall: whole.firewall,
    edge: whole.edge,
    registry: whole.registry,
    acme: whole.acme,
    certificates: resolveCertificates(system.whole.edge, whole.domain, whole.certificates),
    cloudflare: whole.cloudflare,
    images: Object.fromEntries(Object.entries(whole.images).map(([key, ref]) => [key, parseImageRef(ref)])),
    settings: { services: whole.services, limits: whole.limits },
    operators: whole.operators,
    secretGenerations: whole.secretGenerations,
    encryptNetworks: whole.encryptNetworks ?? whole.environment !== "local",
    convergenceSlackMs: milliseconds(whole.convergenceSlack),
    supplied,
    ...(typeof sshKey === "string" && { sshKey }),
    ...(typeof dnsToken === "string" && { dnsToken: pulumi.secret(dnsToken) }),
    ...(typeof originPullKey === "string" && { originPullKey: pulumi.secret(originPullKey) }),
    ...(typeof cloudflareToken === "string" && { cloudflareToken: pulumi.secret(cloudflareToken) }),
    ...(typeof cloudflareUrl === "string" && { cloudflareUrl }),
  });
}

/** Everything would be missing; what is wrong is rather the file. */
function nothing({ stack, values }: RawConfig): Problem {
  const got = list(Object.keys(values), "and");
  const message =
    `has no settings, got ${got === "" ? "an empty stack file" : `only ${got}`}; ` +
    `copy Pulumi.staging.yaml to Pulumi.${stack}.yaml, or name the right file with --config-file`;
  return { path: "berth", message };
}

const restore = (findings: readonly Finding[], original: (path: Path) => Path): Finding[] =>
  findings.map(({ path, message }) => ({ path: original(path), message }));

function nameProblems(folder: string | undefined, name: string | undefined): Problem[] {
  if (folder === undefined || name === undefined || folder === name) return [];
  return [{ path: "system.name", message: `is not the name of its folder, got ${show(name)}; write ${show(folder)}` }];
}

/**
 * Volumes, services and networks are called `<system>-<name>` on hosts that several systems may share, so `shop` with a
 * volume `eu-files` and `shop-eu` with `files` would write into one.
 */
function neighbourProblems(name: string | undefined, systems: readonly string[]): Problem[] {
  if (name === undefined) return [];
  const clashing = systems.filter((other) => other.startsWith(`${name}-`) || name.startsWith(`${other}-`));
  return clashing.map((other) => {
    const [short, long] = name.length < other.length ? [name, other] : [other, name];
    const thing = `${long}-data`;
    const message =
      `shares volume, service and network names with the system ${show(other)}, got ${show(name)}: ${thing} could be ` +
      `${show(thing.slice(short.length + 1))} of ${short} or "data" of ${long}; rename one of their folders`;
    return { path: "berth:system", message };
  });
}

/** What stands in clear under `berth:`, structured values decoded. */
function berthValues(raw: RawConfig): Record<string, unknown> {
  const entries = Object.entries(raw.values).flatMap(([key, value]) => {
    if (!key.startsWith("berth:") || isSecretKey(key) || raw.secretKeys.includes(key)) return [];
    return [[key.slice("berth:".length), decode(value)]];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** Pulumi hands every value over as text: mappings and lists as JSON, the rest as it stands in the file. */
function decode(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]|^(true|false)$/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    // Text that only looks like JSON: the schema says what belongs there.
    return value;
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || pulumi.Output.isInstance(value)) return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}

const systemsFolder = fileURLToPath(new URL("../../systems/", import.meta.url));

/** Reads the configuration of the running stack, and the system it names. */
export async function load(): Promise<Config> {
  const values = pulumi.runtime.allConfig();
  const knownSystems = readdirSync(systemsFolder).filter((name) => existsSync(`${systemsFolder}${name}/system.ts`));
  const name = values["berth:system"];
  const found = knownSystems.find((known) => known === name);
  const system = found === undefined ? { system: undefined } : await readSystem(`${systemsFolder}${found}/system.ts`);
  return parse({
    stack: pulumi.getStack(),
    values,
    secretKeys: Object.keys(values).filter(isConfigSecret),
    ...system,
    knownSystems,
    environment: process.env,
  });
}

/** What a system's file exports; a file that throws is one problem among the others. */
export async function readSystem(file: string): Promise<Pick<RawConfig, "system" | "systemFailure">> {
  try {
    const module = (await import(pathToFileURL(file).href)) as { default?: unknown };
    if (module.default === undefined) return { system: undefined, systemFailure: "no default export" };
    return { system: module.default };
  } catch (error) {
    return { system: undefined, systemFailure: error instanceof Error ? error.message : String(error) };
  }
}

// Not in the SDK's declarations, but what its own `Config` asks before it warns about a secret read in clear.
const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean };
