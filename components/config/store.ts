import { z } from "zod";
import { refuse } from "./refusals.ts";
import { resources } from "./resources.ts";
import { envName, imageKey, label, numericUser, pem, size, sqlName } from "./scalars.ts";

/*
 * The stores of a system: the vocabulary of `data` in `systems/<name>/system.ts`. Every kind but `managed` is hosted: one
 * server on a volume of its own. docs/stores.md says what each image must honour.
 */

const hosted = {
  image: imageKey,
  networks: z.array(label).min(1).describe("Network tiers the store joins; no port is ever published"),
  resources,
};
const passwordSecret = envName.describe("Generated secret that holds the password");
const vhostName = z.string().regex(/^[A-Za-z0-9/_.-]{1,80}$/, {
  error: refuse("is not a virtual host", "use letters, digits and / _ . -, at most 80 characters"),
});
const userName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,62}$/, {
  error: refuse("is not a user name", "use letters, digits, hyphens and underscores, a letter first"),
});
const pattern = z.string().regex(/^\S+$/, { error: refuse("is not a pattern", "write it without blanks") });
const serverUser = (ids: string) =>
  numericUser
    .default(ids)
    .describe("User and group the server runs as; the owner of the image's data directory, another in Alpine's images");

const user = serverUser("999:999");

const postgresRole = z
  .strictObject({
    passwordSecret,
    connectionLimit: z.int().min(1).optional().describe("Most connections the role may have open; no limit by default"),
  })
  .describe("A role of PostgreSQL");

const postgresDatabase = z.strictObject({
  owner: sqlName.describe("Role that owns the database and may change its tables: the one that migrates"),
  access: z
    .record(sqlName, z.enum(["read", "write"]))
    .default({})
    .describe("Rights of other roles on the tables and sequences that the owner makes: `read`, or `write` as well"),
  extensions: z
    .array(
      z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, {
        error: refuse("is not an extension", "write its name as CREATE EXTENSION takes it"),
      }),
    )
    .default([])
    .describe("Extensions created in the database; the image must bring them along"),
});

const postgresTls = z.strictObject({
  certificateSecret: envName.describe("Supplied secret with the server's certificate chain, PEM"),
  keySecret: envName.describe("Supplied secret with its private key, PEM"),
  clientCaSecret: envName
    .optional()
    .describe("Supplied secret with the CA, PEM, whose certificates clients must show; none are asked for by default"),
});

const pooler = z.strictObject({
  image: imageKey.default("pgbouncer"),
  resources,
  mode: z
    .enum(["transaction", "session"])
    .default("transaction")
    .describe("When a server connection is given back; transaction mode forbids what outlives a transaction"),
  poolSize: z.int().min(1).default(20).describe("Server connections per database and role"),
  maxClientConnections: z.int().min(1).default(1000).describe("Connections that applications may open"),
});

const managedFields = {
  urlSecret: envName.describe("Supplied secret with its URL, which services are given as any other secret"),
  tls: z.boolean().default(true).describe("Connections are encrypted and the certificate is checked"),
  ca: pem.optional().describe("PEM of the CA that signed its certificate, if not a public one"),
  maxConnections: z
    .int()
    .min(1)
    .optional()
    .describe("Connections that the provider's plan allows; unchecked if unknown"),
};

/** What a stack says of a store that somebody else runs there. */
export const endpoint = z.strictObject(managedFields);

export const store = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("postgres").describe("PostgreSQL; nobody logs in over the network but the roles named here"),
    ...hosted,
    user,
    roles: z.record(sqlName, postgresRole).describe("Roles that log in, without further rights of their own"),
    databases: z.record(sqlName, postgresDatabase).describe("Databases; one that is no longer named is kept"),
    maxConnections: z.int().min(10).default(100).describe("`max_connections` of the server"),
    settings: z
      .record(
        z
          .string()
          .regex(/^[a-z][a-z0-9_.]*$/, { error: refuse("is not a setting", "write it as postgresql.conf does") }),
        z.string().min(1),
      )
      .default({})
      .describe("Settings of postgresql.conf, added to or in place of those that follow from the memory limit"),
    tls: postgresTls.optional().describe("Certificate of the server; with it, connections without TLS are refused"),
    pooler: pooler.optional().describe("PgBouncer in front of the store, reached as `<store>-pooler` on port 6432"),
  }),
  z.strictObject({
    kind: z
      .literal("redis")
      .describe("Redis; a cache and a queue are two of them, for one must evict and one must not"),
    ...hosted,
    user,
    passwordSecret: passwordSecret.describe("Generated secret that holds the password of the user `default`"),
    users: z
      .record(
        userName,
        z.strictObject({
          passwordSecret,
          keys: z.array(pattern).min(1).default(["*"]).describe("Patterns of the keys it may use"),
          channels: z.array(pattern).default([]).describe("Patterns of the channels it may use"),
          commands: z
            .array(
              z
                .string()
                .regex(/^[+-]@?[a-z][a-z0-9|_-]*$/, {
                  error: refuse("is not a rule", "write it as ACL SETUSER does, for example +@read or -flushall"),
                })
                .describe("A user of Redis"),
            )
            .min(1)
            .default(["+@all", "-@admin", "-@dangerous"])
            .describe("Commands it may call, as rules in order"),
        }),
      )
      .default({})
      .describe("Further ACL users; `default` has every right"),
    appendonly: z.boolean().default(true).describe("Append-only file, synchronised every second; false for a cache"),
    maxmemory: size.describe("`maxmemory` of the server; keep it below the memory limit"),
    maxmemoryPolicy: z
      .enum(["noeviction", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "volatile-ttl"])
      .default("noeviction")
      .describe("What Redis does when `maxmemory` is reached; queues and sessions need noeviction"),
    maxclients: z.int().min(1).default(10000).describe("`maxclients` of the server"),
  }),
  z.strictObject({
    kind: z.literal("rabbitmq").describe("RabbitMQ; queues and messages that are durable survive a restart"),
    ...hosted,
    user,
    vhosts: z.array(vhostName).min(1).default(["/"]).describe("Virtual hosts"),
    users: z
      .record(
        userName,
        z
          .strictObject({
            passwordSecret,
            vhosts: z.array(vhostName).min(1).default(["/"]).describe("Virtual hosts in which it has every right"),
            administrator: z.boolean().default(false).describe("May manage the server itself"),
          })
          .describe("A user of RabbitMQ"),
      )
      .describe("Users; `guest` is not made"),
    diskFreeLimit: size.default("1 GB").describe("Free space on the disk below which publishers are blocked"),
  }),
  z.strictObject({
    kind: z
      .literal("mongodb")
      .describe("MongoDB; its one user has every right, applications use it with authSource=admin"),
    ...hosted,
    user,
    rootUser: userName.default("root").describe("Name of the user, made when the volume is empty"),
    passwordSecret: passwordSecret.describe(
      "Generated secret that holds the user's password; taken when the volume is empty, so it cannot be rotated here",
    ),
  }),
  z.strictObject({
    kind: z.literal("clickhouse").describe("ClickHouse; its user `default` is taken away"),
    ...hosted,
    user: serverUser("101:101"),
    databases: z.array(sqlName).min(1).describe("Databases; one that is no longer named is kept"),
    users: z
      .record(
        userName,
        z
          .strictObject({
            passwordSecret,
            databases: z.array(sqlName).min(1).optional().describe("Databases it may use; all of them by default"),
            readOnly: z.boolean().default(false).describe("May only ask"),
          })
          .describe("A user of ClickHouse"),
      )
      .describe("Users; the first one makes the databases and must be able to use all of them"),
  }),
  z.strictObject({
    kind: z
      .literal("managed")
      .describe(
        "A server that somebody else runs; it must be reachable and show a valid certificate before what depends on it is deployed",
      ),
    server: z.enum(["postgres", "redis", "rabbitmq", "mongodb", "clickhouse"]).describe("What it speaks"),
    ...managedFields,
  }),
]);

export type Store = z.output<typeof store>;
export type StoreOf<Kind extends Store["kind"]> = Extract<Store, { kind: Kind }>;
export type PostgresStore = StoreOf<"postgres">;
export type RedisStore = StoreOf<"redis">;
export type RabbitmqStore = StoreOf<"rabbitmq">;
export type MongodbStore = StoreOf<"mongodb">;
export type ClickhouseStore = StoreOf<"clickhouse">;
export type ManagedStore = StoreOf<"managed">;
/** A server of our own. */
export type HostedStore = Exclude<Store, ManagedStore>;
export type Pooler = z.output<typeof pooler>;
