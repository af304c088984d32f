import { z } from "zod";
import { resources } from "./resources.ts";
import { envName, imageKey, label, size, sqlName } from "./scalars.ts";

/* The stores of a system: the vocabulary of `data` in `systems/<name>/system.ts`. */

export const store = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("postgres").describe("PostgreSQL, single node, on a protected volume"),
    image: imageKey,
    database: sqlName.describe("Database created for the system"),
    user: sqlName.describe("Role that owns the database"),
    passwordSecret: envName.describe("Generated secret that holds the role's password"),
    networks: z.array(label).min(1).describe("Network tiers the store joins"),
    resources,
    maxConnections: z.int().min(10).default(100).describe("`max_connections` of the server"),
  }),
  z.strictObject({
    kind: z.literal("redis").describe("Redis with append-only file and password, single node, on a protected volume"),
    image: imageKey,
    passwordSecret: envName.describe("Generated secret that holds the password"),
    networks: z.array(label).min(1).describe("Network tiers the store joins"),
    resources,
    maxmemory: size.describe("`maxmemory` of the server; keep it below the memory limit"),
    maxmemoryPolicy: z
      .enum(["noeviction", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "volatile-ttl"])
      .default("noeviction")
      .describe("What Redis does when `maxmemory` is reached; queues and sessions need noeviction"),
    maxclients: z.int().min(1).default(10000).describe("`maxclients` of the server"),
  }),
]);

export type Store = z.output<typeof store>;
export type PostgresStore = Extract<Store, { kind: "postgres" }>;
export type RedisStore = Extract<Store, { kind: "redis" }>;
