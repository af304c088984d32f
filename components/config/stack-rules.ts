import { parseImageRef } from "../shared/image-ref.ts";
import { at, keysAt, type Finding, type Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import type { Environment, Host, Stack } from "./stack.ts";
import type { SystemParts } from "./system-rules.ts";
import { rotationRules } from "./store-rules.ts";
import type { Store } from "./store.ts";
import type { Service } from "./system.ts";

/* Rules across the fields of a stack file, and between a stack file and its system. */

export type StackParts = Parts<Stack>;

export function stackRules(stack: StackParts, name: string): Finding[] {
  const environment = stack.environment ?? "production";
  const hosts = stack.hosts ?? [];
  return [
    ...twice(hosts, (host) => host.name, "name", "is the name of another host"),
    ...twice(
      hosts,
      ({ address, port }) => address && `${address}:${port ?? 22}`,
      "address",
      "is the address and port of another host",
    ),
    ...hosts.flatMap((host, index) => (environment === "local" ? [] : realHostRules(["hosts", index], host))),
    ...edgeRules(hosts),
    ...Object.entries(stack.images ?? {}).flatMap(([key, ref]) => pinRules(["images", key], ref, environment, name)),
    ...(environment === "local" ? [] : contactRules(stack)),
  ];
}

type HostParts = Parts<Host>;

function twice(
  hosts: readonly HostParts[],
  key: (host: HostParts) => string | undefined,
  field: string,
  wrong: string,
): Finding[] {
  const keys = hosts.map(key);
  return keys.flatMap((value, index) =>
    value === undefined || keys.indexOf(value) === index
      ? []
      : [{ path: ["hosts", index, field], message: `${wrong}, got ${show(value)}; every host is listed once` }],
  );
}

// Networks and domains that RFC 5737 and RFC 2606 set aside for manuals: they stand in files to be replaced.
const documentationAddress = /^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$/;
const documentationName = /(^|[.@])example(\.(com|net|org))?$/;
const isPlaceholder = (text: string): boolean => documentationAddress.test(text) || documentationName.test(text);

function placeholder(path: Path, text: string | undefined, name: string | undefined, cure: string): Finding[] {
  if (name === undefined || !isPlaceholder(name)) return [];
  return [{ path, message: `is an address for documentation, got ${show(text)}; ${cure}` }];
}

function realHostRules(path: Path, { address, publicAddress, hostKey, port = 22 }: HostParts): Finding[] {
  const dialled = address === undefined || isPlaceholder(address) ? "<address>" : address;
  const line = `\`npm run berth -- host-key ${port === 22 ? dialled : `${dialled}:${port}`}\``;
  return [
    ...placeholder([...path, "address"], address, address, "write the address of your machine"),
    ...placeholder([...path, "publicAddress"], publicAddress, publicAddress, "write what visitors reach"),
    ...(hostKey === undefined
      ? [{ path: [...path, "hostKey"], message: `is missing; run ${line} and paste the line it prints` }]
      : []),
  ];
}

function contactRules({ acme, registry }: StackParts): Finding[] {
  const registryHost = registry?.address?.replace(/[:/].*/, "");
  return [
    ...placeholder(["acme", "email"], acme?.email, acme?.email, "write one that is read"),
    ...placeholder(["registry", "address"], registry?.address, registryHost, "write your registry's"),
  ];
}

function edgeRules(hosts: readonly HostParts[]): Finding[] {
  if (hosts.length === 0 || hosts.some((host) => host.labels?.edge === "true")) return [];
  const message = 'has no edge; give at least one host the label `edge: "true"`';
  return [{ path: ["hosts"], message }];
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
    ...managedRules(stack, system, document),
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

function managedRules({ managed }: StackParts, system: SystemParts, document: unknown): Finding[] {
  const stores = keysAt(document, ["data"]);
  return Object.entries(managed ?? {}).flatMap(([name, { urlSecret }]) => {
    if (!stores.includes(name)) return [{ path: ["managed", name], message: notOf("a store", stores) }];
    const given = Object.values(system.services ?? {}).flatMap((service) => [
      ...(service.secrets ?? []),
      ...(service.kind === "job" ? [] : (service.secretsAsEnv ?? [])),
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
