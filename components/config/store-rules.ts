import { maxNameLength } from "../shared/naming.ts";
import type { Finding, Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import type { ManagedStore, PostgresStore, Store } from "./store.ts";
import type { System } from "./system.ts";

/* Rules across the fields of the stores. Like those of the system, they see what refused parts leave over. */

export type StoreParts = Parts<Store>;
type PartsOf<T> = Parts<T>;

/** What was declared, refused or not. */
export interface StoreNames {
  readonly services: readonly string[];
  readonly data: readonly string[];
  readonly networks: readonly string[];
  readonly secrets: readonly string[];
}

/** Name under which services reach the pooler of a store. */
export const poolerName = (store: string): string => `${store}-pooler`;

/** Everything that a service may open connections to. */
export function connectable(
  data: Readonly<Record<string, StoreParts>> | undefined,
  names: readonly string[],
): string[] {
  const pooled = (name: string): boolean => {
    const store = data?.[name];
    return store?.kind === "postgres" && store.pooler !== undefined;
  };
  return names.flatMap((name) => (pooled(name) ? [name, poolerName(name)] : [name]));
}

export function storeRules(system: Parts<System>, names: StoreNames): Finding[] {
  const secrets = system.secrets ?? {};
  return Object.entries(system.data ?? {}).flatMap(([name, store]) => {
    const path = ["data", name];
    return [
      ...(store.kind === "managed" ? [] : unknown([...path, "networks"], store.networks, names.networks, "a network")),
      ...secretUses(path, store).flatMap((use) => secretRule(use, secrets, names.secrets)),
      ...kindRules(path, name, store, names),
      ...(store.kind === "postgres" && store.pooler ? lengthRule([...path, "pooler"], system.name, name) : []),
    ];
  });
}

/** Names of systems and stores are short enough by themselves; that of a pooler has an ending. */
function lengthRule(path: Path, system: string | undefined, store: string): Finding[] {
  const name = `${system ?? ""}-${poolerName(store)}`;
  if (system === undefined || name.length <= maxNameLength) return [];
  const cure = `give ${store} a name that is shorter by ${name.length - maxNameLength}`;
  return [{ path, message: `has a name above Docker's ${maxNameLength} characters, got ${show(name)}; ${cure}` }];
}

function kindRules(path: Path, name: string, store: StoreParts, names: StoreNames): Finding[] {
  switch (store.kind) {
    case "postgres":
      return postgresRules(path, name, store, names);
    case "rabbitmq":
      return [
        ...none([...path, "users"], store.users, "user"),
        ...twice([...path, "vhosts"], store.vhosts, "virtual host"),
        ...each(store.users).flatMap(([user, { vhosts }]) =>
          unknown([...path, "users", user, "vhosts"], vhosts, store.vhosts ?? [], "a virtual host", "store"),
        ),
      ];
    case "redis":
      return "default" in (store.users ?? {})
        ? [{ path: [...path, "users", "default"], message: "is there already; its password is `passwordSecret`" }]
        : [];
    case "clickhouse":
      return [
        ...none([...path, "users"], store.users, "user"),
        ...twice([...path, "databases"], store.databases, "database"),
        ...each(store.users).flatMap(([user, { databases }]) =>
          unknown([...path, "users", user, "databases"], databases, store.databases ?? [], "a database", "store"),
        ),
        ...makerRules(path, store),
      ];
    default:
      return [];
  }
}

function makerRules(path: Path, { users, databases }: PartsOf<Extract<Store, { kind: "clickhouse" }>>): Finding[] {
  const [name, maker] = each(users)[0] ?? [];
  if (name === undefined || !maker) return [];
  const cure = "put a user first that may make the databases";
  const missing = (databases ?? []).filter((database) => maker.databases && !maker.databases.includes(database));
  if (maker.readOnly) {
    return [{ path: [...path, "users", name, "readOnly"], message: `is true for the first user, got true; ${cure}` }];
  }
  if (missing.length === 0) return [];
  const message = `lacks ${list(missing, "and")}, got ${show(maker.databases)} for the first user; ${cure}`;
  return [{ path: [...path, "users", name, "databases"], message }];
}

function postgresRules(path: Path, name: string, store: PartsOf<PostgresStore>, names: StoreNames): Finding[] {
  const roles = Object.keys(store.roles ?? {});
  return [
    ...none([...path, "databases"], store.databases, "database"),
    ...each(store.databases).flatMap(([database, { owner, access, extensions }]) => {
      const place = [...path, "databases", database];
      const granted = Object.keys(access ?? {});
      return [
        ...(owner === undefined ? [] : unknownOne([...place, "owner"], owner, roles, "a role", "store")),
        ...granted.flatMap((role) => unknownOne([...place, "access", role], role, roles, "a role", "store")),
        ...granted
          .filter((role) => role === owner)
          .map((role) => ({ path: [...place, "access", role], message: "owns the database already; remove it" })),
        ...twice([...place, "extensions"], extensions, "extension"),
        ...(database === "postgres" || /^template[01]$/.test(database)
          ? [{ path: place, message: "belongs to the server itself; give the database another name" }]
          : []),
      ];
    }),
    ...roles.flatMap((role) => (/^(postgres|pg_.*|pgbouncer)$/.test(role) ? [reserved([...path, "roles", role])] : [])),
    ...Object.keys(store.settings ?? {}).flatMap((setting) => settingRules([...path, "settings", setting], setting)),
    ...poolerRules(path, name, store, names),
  ];
}

const reserved = (path: Path): Finding => ({ path, message: "is reserved; give the role another name" });

/** Settings that other fields or the component itself decide, with what to write instead. */
const owned: Readonly<Record<string, string>> = {
  max_connections: "write `maxConnections` of the store",
  shared_preload_libraries: "list the extension under `databases`; what it must preload is known",
  ssl: "write `tls` of the store",
  ssl_cert_file: "write `tls` of the store",
  ssl_key_file: "write `tls` of the store",
  ssl_ca_file: "write `tls` of the store",
  listen_addresses: "remove it; the store's networks decide who reaches it",
  port: "remove it; services expect 5432",
  data_directory: "remove it; the volume decides",
  hba_file: "remove it; roles and `tls` decide who may log in",
  unix_socket_directories: "remove it; the health check asks there",
  logging_collector: "remove it; logs go to the container's output",
};

function settingRules(path: Path, setting: string): Finding[] {
  const cure = owned[setting];
  return cure === undefined ? [] : [{ path, message: `is not set here; ${cure}` }];
}

function poolerRules(path: Path, name: string, store: PartsOf<PostgresStore>, names: StoreNames): Finding[] {
  if (!store.pooler) return [];
  const taken = [...names.services, ...names.data].includes(poolerName(name));
  const clash = `is reached as ${poolerName(name)}, which is another part of the system; rename one of them`;
  const place = [...path, "pooler"];
  const message = "cannot show a client certificate; remove it, or the pooler";
  return [
    ...(taken ? [{ path: place, message: clash }] : []),
    ...(store.tls?.clientCaSecret === undefined ? [] : [{ path: [...path, "tls", "clientCaSecret"], message }]),
  ];
}

interface SecretUse {
  readonly path: Path;
  readonly secret: string | undefined;
  readonly kind: "generated" | "supplied";
}

/** Every secret that a store names, and what it must be. */
export function secretUses(path: Path, store: StoreParts): SecretUse[] {
  const use = (place: Path, secret: string | undefined, kind: SecretUse["kind"] = "generated"): SecretUse => ({
    path: [...path, ...place],
    secret,
    kind,
  });
  const passwords = (field: string, users: Readonly<Record<string, { readonly passwordSecret?: string }>> = {}) =>
    Object.entries(users).map(([name, { passwordSecret }]) => use([field, name, "passwordSecret"], passwordSecret));
  switch (store.kind) {
    case "postgres":
      return [
        ...passwords("roles", store.roles),
        ...(["certificateSecret", "keySecret", "clientCaSecret"] as const).map((field) =>
          use(["tls", field], store.tls?.[field], "supplied"),
        ),
      ];
    case "redis":
      return [use(["passwordSecret"], store.passwordSecret), ...passwords("users", store.users)];
    case "mongodb":
      return [use(["passwordSecret"], store.passwordSecret)];
    case "rabbitmq":
    case "clickhouse":
      return passwords("users", store.users);
    case "managed":
      return [use(["urlSecret"], store.urlSecret, "supplied")];
  }
}

function secretRule(
  { path, secret, kind }: SecretUse,
  secrets: NonNullable<Parts<System>["secrets"]>,
  names: readonly string[],
): Finding[] {
  if (secret === undefined) return [];
  const spec = secrets[secret];
  if (spec === undefined) return unknownOne(path, secret, names, "a secret");
  if (spec.kind !== kind) {
    const message = `is not a ${kind} secret, got ${show(secret)} (${spec.kind}); declare one of kind ${kind}`;
    return [{ path, message }];
  }
  if (spec.kind !== "supplied" || !spec.optional) return [];
  return [{ path, message: `may be left unset, got ${show(secret)}; make ${secret} required` }];
}

/** Secrets that a stack cannot rotate: their server takes them once, when its volume is empty. */
export function rotationRules(
  generations: Readonly<Record<string, number>> | undefined,
  data: Readonly<Record<string, StoreParts>> | undefined,
): Finding[] {
  const stores = Object.entries(data ?? {});
  return Object.entries(generations ?? {}).flatMap(([secret, generation]) => {
    const [name] = stores.find(([, store]) => store.kind === "mongodb" && store.passwordSecret === secret) ?? [];
    if (name === undefined || generation === 1) return [];
    const message =
      `is the password of ${name}, which MongoDB takes only when its volume is empty, got generation ${generation}; ` +
      "remove it, and make another user in the server for a new password";
    return [{ path: ["secretGenerations", secret], message }];
  });
}

/**
 * A URL as a managed store needs it. Says nothing of its value: it holds a password.
 *
 * @returns what is wrong, or nothing
 */
export function urlProblem(store: PartsOf<ManagedStore>, url: string): string | undefined {
  const found = /^([a-z][a-z0-9+.-]*):\/\/(?:[^@/]*@)?([^/?#]+)/.exec(url);
  const scheme = found?.[1];
  if (!store.server) return undefined;
  const { schemes, encrypted, example } = urls[store.server];
  if (scheme === "mongodb+srv") {
    return "names a service record, which cannot be checked; write mongodb:// with the hosts that the provider shows";
  }
  if (scheme === undefined || !schemes.test(scheme)) {
    return `is not the URL of a ${store.server}; write ${example}`;
  }
  if ((store.tls ?? true) && !encrypted(scheme, url)) {
    return `asks for no TLS; write ${example}, or tls: false on the store`;
  }
  return undefined;
}

interface Url {
  readonly schemes: RegExp;
  readonly encrypted: (scheme: string, url: string) => boolean;
  readonly example: string;
}

/** Drivers differ in how they are told; only what surely turns TLS off is refused where there is no scheme for it. */
const urls: Readonly<Record<ManagedStore["server"], Url>> = {
  postgres: {
    schemes: /^postgres(ql)?(\+[a-z0-9]+)?$/,
    encrypted: (_, url) => !/[?&](sslmode|ssl)=(disable|allow|false|0)\b/.test(url),
    example: "postgresql://user:password@host:5432/database?sslmode=require",
  },
  redis: {
    schemes: /^rediss?$/,
    encrypted: (scheme) => scheme === "rediss",
    example: "rediss://:password@host:6380/0",
  },
  rabbitmq: {
    schemes: /^amqps?$/,
    encrypted: (scheme) => scheme === "amqps",
    example: "amqps://user:password@host:5671",
  },
  mongodb: {
    schemes: /^mongodb$/,
    encrypted: (_, url) => /[?&](tls|ssl)=true\b/.test(url),
    example: "mongodb://user:password@host:27017/?tls=true",
  },
  clickhouse: {
    schemes: /^(clickhouses?|https?)$/,
    encrypted: (scheme, url) => /^(clickhouses|https)$/.test(scheme) || /[?&]secure=(true|1)\b/.test(url),
    example: "https://user:password@host:8443/database",
  },
};

const each = <T>(record: Readonly<Record<string, T>> | undefined): [string, T][] => Object.entries(record ?? {});

function none(path: Path, record: object | undefined, what: string): Finding[] {
  if (!record || Object.keys(record).length > 0) return [];
  return [{ path, message: `names nothing, got ${show(record)}; declare at least one ${what}` }];
}

function twice(path: Path, values: readonly string[] | undefined, what: string): Finding[] {
  return (values ?? []).flatMap((value, index, all) =>
    all.indexOf(value) === index
      ? []
      : [{ path: [...path, index], message: `is the name of another ${what}, got ${show(value)}; remove one of them` }],
  );
}

function unknown(path: Path, used: readonly string[] = [], known: readonly string[], what: string, of = "system") {
  return used.flatMap((name, index) => unknownOne([...path, index], name, known, what, of));
}

function unknownOne(path: Path, name: string, known: readonly string[], what: string, of = "system"): Finding[] {
  if (known.includes(name)) return [];
  const cure = known.length === 0 ? "declare it first" : `use ${list(known, "or")}, or declare it`;
  return [{ path, message: `is not ${what} of the ${of}, got ${show(name)}; ${cure}` }];
}
