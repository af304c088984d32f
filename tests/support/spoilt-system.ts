import { defineSystem } from "../../components/config/system.ts";
import { problemsOf } from "./problems.ts";
import { sampleHostKey, sampleImages } from "./sample-config.ts";

type Tree = Record<string, unknown>;

/** A small system with one of everything, made anew for each case to be spoilt. */
function shop(): Tree {
  const health = { path: "/health" };
  const resources = { memory: "128 MB" } as const;
  const system = defineSystem({
    name: "shop",
    networks: { edge: {}, data: { internal: true } },
    services: {
      migrate: { kind: "job", image: "api", networks: ["data"], resources, secrets: ["DB_URL"], dependsOn: ["db"] },
      api: {
        kind: "web",
        image: "api",
        port: 80,
        networks: ["edge", "data"],
        resources,
        health,
        dependsOn: ["migrate"],
      },
      mail: {
        kind: "worker",
        image: "api",
        networks: ["data"],
        resources,
        health: { command: ["ping"] },
        secrets: ["KEY"],
      },
    },
    data: {
      db: {
        kind: "postgres",
        image: "db",
        roles: { shop: { passwordSecret: "DB_PASSWORD" } },
        databases: { shop: { owner: "shop" } },
        networks: ["data"],
        resources,
      },
      queue: {
        kind: "redis",
        image: "queue",
        passwordSecret: "QUEUE_PASSWORD",
        networks: ["data"],
        resources,
        maxmemory: "96 MB",
      },
    },
    secrets: {
      KEY: { kind: "supplied", optional: true },
      DB_PASSWORD: { kind: "generated" },
      QUEUE_PASSWORD: { kind: "generated" },
      DB_URL: { kind: "composed", template: "postgres://shop:${DB_PASSWORD}@db/shop" },
    },
    edge: {
      limits: { slow: { rate: "1 r/s" } },
      sites: [{ host: "${domain}", routes: [{ path: "/", service: "api", limit: "slow" }] }],
    },
  });
  // Text and back: no two parts of it are one object.
  return JSON.parse(JSON.stringify(system)) as Tree;
}

/**
 * Problems of a shop after a change: `path=value`, or `path` alone to remove what is there.
 *
 * @param values further values of the stack file, or others than the shop's
 * @param knownSystems names of the systems that there are
 */
export function spoilt(
  changes: Record<string, unknown>,
  values: Record<string, unknown> = {},
  knownSystems: readonly string[] = [],
): string[] {
  const system = shop();
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split(".");
    const parent = steps.slice(0, -1).reduce<Tree>((node, step) => node[step] as Tree, system);
    if (value === undefined) Reflect.deleteProperty(parent, steps.at(-1)!);
    else parent[steps.at(-1)!] = value;
  }
  return problemsOf({
    stack: "local",
    values: {
      "berth:system": "shop",
      "berth:environment": "local",
      "berth:domain": "shop.test",
      "berth:hosts": [{ name: "vm-1", address: "vm-1", hostKey: sampleHostKey, labels: { edge: "true" } }],
      "berth:registry": { address: "registry.test" },
      "berth:images": {
        api: sampleImages.api,
        db: sampleImages.postgres,
        queue: sampleImages.redis,
        edge: sampleImages.edge,
      },
      "berth:acme": { email: "ops@shop.test", agreeToTerms: true },
      "berth:cloudflare": "none",
      ...values,
    },
    secretKeys: Object.keys(values).filter((key) => !key.startsWith("berth:")),
    system,
    knownSystems,
  });
}
