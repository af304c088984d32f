import { parseImageRef } from "../shared/image-ref.ts";
import { cloudflareRules, cloudflareSystemRules } from "./cloudflare-rules.ts";
import { at, keysAt, type Finding, type Path } from "./findings.ts";
import { firewallRules } from "./firewall.ts";
import { hostRules, volumeRules } from "./host-rules.ts";
import { jumpRules } from "./jump.ts";
import type { Parts } from "./lenient.ts";
import { originPullSiteRules } from "./origin-pulls.ts";
import { placeholder } from "./placeholders.ts";
import { list, show } from "./refusals.ts";
import { isEnding, type Service } from "./service.ts";
import type { Environment, Stack } from "./stack.ts";
import type { SystemParts } from "./system-rules.ts";
import { rotationRules } from "./store-rules.ts";
import type { Store } from "./store.ts";

/* Rules across the fields of a stack file, and between a stack file and its system. */

export type StackParts = Parts<Stack>;

export function stackRules(stack: StackParts, name: string): Finding[] {
  const environment = stack.environment ?? "production";
  return [
    ...hostRules(stack.hosts ?? [], environment, name),
    ...jumpRules(stack.hosts ?? [], stack.jumpHosts ?? {}, environment),
    ...firewallRules(stack.firewall, stack.cloudflare),
    ...cloudflareRules(
      stack.cloudflare,
      stack.domain,
      stack.hosts?.filter(({ labels }) => labels?.edge === "true").length,
    ),
    ...Object.entries(stack.images ?? {}).flatMap(([key, ref]) => pinRules(["images", key], ref, environment, name)),
    ...(environment === "local" ? [] : contactRules(stack)),
  ];
}

function contactRules({ acme, registry }: StackParts): Finding[] {
  const registryHost = registry?.address?.replace(/[:/].*/, "");
  return [
    ...placeholder(["acme", "email"], acme?.email, acme?.email, "write one that is read"),
    ...placeholder(["registry", "address"], registry?.address, registryHost, "write your registry's"),
  ];
}

function pinRules(path: Path, ref: string, environment: Environment, stack: string): Finding[] {
  const { repository, tag, digest } = parseImageRef(ref);
  const key = String(path.at(-1));
  if (digest !== undefined) return [];
  if (tag === undefined || tag === "latest") {
    const cure = environment === "local" ? `write ${repository}:<tag>` : `run ${pinLine(stack, key)}`;
    return [{ path, message: `does not say which version, got ${show(ref)}; ${cure}` }];
  }
  if (environment === "local") return [];
  return [{ path, message: `is a floating tag, got ${show(ref)}; run ${pinLine(stack, key, tag)}` }];
}

// The verb asks through the Docker of a host, which a first `up` has yet to install.
const byHand = ", or before the first up write its repository:tag@sha256:…";
const pinLine = (stack: string, key: string, tag = "<tag>"): string =>
  `\`npm run berth -- pin ${stack} ${key}=${tag}\``;

/** What a stack file says about things that only the system knows. */
export function stackSystemRules(
  stack: StackParts,
  system: SystemParts,
  documents: { readonly stack: unknown; readonly system: unknown },
  name: string,
): Finding[] {
  const document = documents.system;
  const secrets = system.secrets ?? {};
  return [
    ...imageRules(keysAt(documents.stack, ["images"]), usedImages(document), name),
    ...overrideRules(stack, system, document),
    ...volumeRules(stack.hosts ?? [], stack.volumes ?? {}, volumeUsers(system)),
    ...managedRules(stack, system, document),
    ...cloudflareSystemRules(stack.cloudflare, system, keysAt(document, ["edge", "limits"]), stack.domain),
    ...originPullSiteRules(stack.cloudflare, system, stack.domain),
    ...rotationRules(stack.secretGenerations, system.data),
    ...Object.keys(stack.limits ?? {}).flatMap((limit) => {
      const known = keysAt(document, ["edge", "limits"]);
      return known.includes(limit) ? [] : [{ path: ["limits", limit], message: notOf("a limit", known) }];
    }),
    ...Object.keys(stack.secretGenerations ?? {}).flatMap((secret) => {
      if (secrets[secret]?.kind === "generated") return [];
      const generated = Object.keys(secrets).filter((key) => secrets[key]?.kind === "generated");
      return [{ path: ["secretGenerations", secret], message: notOf("a generated secret", generated) }];
    }),
  ];
}

/** Services and stores by the volume that they keep; a store has one of its own name. */
export function volumeUsers(system: SystemParts): Record<string, string[]> {
  const users: Record<string, string[]> = Object.fromEntries(
    Object.entries(system.data ?? {}).flatMap(([name, store]) => (store.kind === "managed" ? [] : [[name, [name]]])),
  );
  for (const [name, service] of Object.entries(system.services ?? {})) {
    if (isEnding(service)) continue;
    for (const volume of Object.keys(service.volumes ?? {})) (users[volume] ??= []).push(name);
  }
  return users;
}

function managedRules({ managed }: StackParts, system: SystemParts, document: unknown): Finding[] {
  const stores = keysAt(document, ["data"]);
  return Object.entries(managed ?? {}).flatMap(([name, { urlSecret }]) => {
    if (!stores.includes(name)) return [{ path: ["managed", name], message: notOf("a store", stores) }];
    const given = Object.values(system.services ?? {}).flatMap((service) => [
      ...(service.secrets ?? []),
      ...(isEnding(service) ? [] : (service.secretsAsEnv ?? [])),
    ]);
    if (urlSecret === undefined || given.includes(urlSecret)) return [];
    const message = `is given to no service, got ${show(urlSecret)}; name the secret that holds the store's URL`;
    return [{ path: ["managed", name, "urlSecret"], message }];
  });
}

function notOf(what: string, known: readonly string[]): string {
  return `is not ${what} of the system; ${known.length === 0 ? "remove it" : `use ${list(known, "or")}`}`;
}

function imageRules(pinned: readonly string[], used: readonly string[], name: string): Finding[] {
  return [
    ...used
      .filter((key) => !pinned.includes(key))
      .map((key) => ({ path: ["images", key], message: `is missing; run ${pinLine(name, key)}${byHand}` })),
    ...pinned
      .filter((key) => !used.includes(key))
      .map((key) => ({ path: ["images", key], message: `is used by nothing in the system; ${unusedCure(used)}` })),
  ];
}

const unusedCure = (used: readonly string[]): string =>
  used.length === 0 ? "remove it" : `remove it, or use ${list(used, "or")}`;

/** Image keys that a system names, in its own order, also where the rest of a service is refused. */
function usedImages(document: unknown): string[] {
  const things = ["services", "data"].flatMap((section) =>
    Object.values((at(document, [section]) as Record<string, unknown> | undefined) ?? {}),
  );
  const edge = at(document, ["edge", "image"]) ?? "edge";
  const keys = [...things.flatMap((thing) => [at(thing, ["image"]), poolerImage(thing)]), edge];
  return [...new Set(keys.filter((key) => typeof key === "string"))];
}

function poolerImage(thing: unknown): unknown {
  const pooler = at(thing, ["pooler"]);
  return pooler === undefined ? undefined : (at(pooler, ["image"]) ?? "pgbouncer");
}

const applies: Readonly<Record<Service["kind"] | Store["kind"], readonly string[]>> = {
  web: ["replicas", "resources", "env"],
  worker: ["replicas", "resources", "env"],
  job: ["resources", "env"],
  schedule: ["resources", "env"],
  postgres: ["resources", "maxConnections"],
  redis: ["resources", "maxmemory", "maxclients"],
  rabbitmq: ["resources"],
  mongodb: ["resources"],
  clickhouse: ["resources"],
  managed: ["maxConnections"],
};

function overrideRules(stack: StackParts, system: SystemParts, document: unknown): Finding[] {
  const names = ["services", "data"].flatMap((section) => keysAt(document, [section]));
  return Object.entries(stack.services ?? {}).flatMap(([name, override]) => {
    const path = ["services", name];
    if (!names.includes(name)) return [{ path, message: notOf("a service or store", names) }];
    const kind = system.services?.[name]?.kind ?? system.data?.[name]?.kind;
    return Object.keys(override)
      .filter((field) => kind !== undefined && !applies[kind].includes(field))
      .map((field) => ({ path: [...path, field], message: `does not apply to a ${kind ?? ""}; remove it` }));
  });
}
