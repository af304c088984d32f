import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { itRejects, type Refusal } from "../support/refusals.ts";
import { sampleHostKey } from "../support/sample-config.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Bad systems and what is said about them: what their parts say of each other, and everything at once. */

const refusals: readonly Refusal[] = [
  [
    "a store without limits",
    { "data.db.resources": undefined },
    ["system.data.db.resources: is missing; add it: Limits and reservations; `memory` is required"],
  ],
  [
    "a size in another spelling",
    { "data.queue.maxmemory": "96mb" },
    [
      'system.data.queue.maxmemory: is not a size, got "96mb"; write a number above 0, a blank and KB, MB or GB, ' +
        'for example "512 MB"',
    ],
  ],
  [
    "no kind",
    { "data.db.kind": undefined },
    ["system.data.db.kind: is missing; write postgres, redis, rabbitmq, mongodb, clickhouse or managed"],
  ],
  [
    "names that nothing declares",
    {
      "services.api.networks": ["edge", "backend"],
      "services.api.secrets": ["KEYS"],
      "services.mail.secretsAsEnv": ["TOKEN"],
      "services.mail.connections": { cache: 5 },
      "data.db.networks": ["backend"],
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "api", limit: "fast" }] }],
    },
    [
      'system.data.db.networks[0]: is not a network of the system, got "backend"; use edge or data, or declare it',
      'system.edge.sites[0].routes[0].limit: is not a limit of the system, got "fast"; use slow, or declare it',
      'system.services.api.networks[1]: is not a network of the system, got "backend"; use edge or data, or declare it',
      'system.services.api.secrets[0]: is not a secret of the system, got "KEYS"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      'system.services.mail.connections.cache: is not a store of the system, got "cache"; use db or queue, or declare it',
      'system.services.mail.secretsAsEnv[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, ' +
        "QUEUE_PASSWORD or DB_URL, or declare it",
    ],
  ],
  [
    "a dependency on nothing and on itself",
    { "services.mail.dependsOn": ["mail", "cache"] },
    [
      'system.services.mail.dependsOn[0]: is the service itself, got "mail"; remove it',
      'system.services.mail.dependsOn[1]: is not a service or store of the system, got "cache"; use migrate, api, db or ' +
        "queue, or declare it",
    ],
  ],
  [
    "dependencies in a circle",
    { "services.mail.dependsOn": ["api"], "services.migrate.dependsOn": ["mail"] },
    [
      "system.services.api.dependsOn: waits for itself, got api → migrate → mail → api; remove one of these dependencies",
    ],
  ],
  [
    "a secret whose name Docker has no room for",
    { [`secrets.${"S".repeat(49)}`]: { kind: "generated" } },
    [`system.secrets.${"S".repeat(49)}: is too long for a secret, got "${"S".repeat(49)}"; use at most 48 characters`],
  ],
  [
    "Redis without memory for itself",
    { "data.queue.maxmemory": "128 MB" },
    [
      'system.data.queue.maxmemory: leaves Redis no memory for itself, got maxmemory "128 MB" of a limit of "128 MB"; ' +
        "keep maxmemory at three quarters of the limit: rewriting its file takes the rest",
    ],
  ],
  [
    "a password that berth does not generate",
    { "data.db.roles.shop.passwordSecret": "KEY", "data.queue.passwordSecret": "NONE" },
    [
      'system.data.db.roles.shop.passwordSecret: is not a generated secret, got "KEY" (supplied); declare one of kind generated',
      'system.data.queue.passwordSecret: is not a secret of the system, got "NONE"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
    ],
  ],
  [
    "more connections than a store takes",
    {
      "data.db.maxConnections": 100,
      "services.api.replicas": 2,
      "services.api.connections": { db: 20 },
      "services.mail.connections": { db: 20 },
      "services.mail.rollout": { order: "stop-first" },
      "services.migrate.connections": { db: 1 },
    },
    [
      "system.data.db.maxConnections: is less than the tasks of a rollout may open, got 100 for migrate 1 × 1 + api 4 × 20 + " +
        "mail 1 × 20 + administration 3 = 104; write 104 or more, or give services fewer replicas or smaller pools",
    ],
  ],
  [
    "composed secrets that cannot be composed",
    {
      "secrets.A": { kind: "composed", template: "${B}" },
      "secrets.B": { kind: "composed", template: "${A}" },
      "secrets.C": { kind: "composed", template: "${C}" },
      "secrets.D": { kind: "composed", template: "${KEY}${NONE}" },
      "secrets.E": { kind: "composed", template: "plain" },
    },
    [
      "system.secrets.A.template: refers to itself, got A → B → A; remove one of these references",
      "system.secrets.C.template: refers to itself, got ${C}; name another secret",
      'system.secrets.D.template: is not a secret of the system, got "NONE"; use KEY, DB_PASSWORD, QUEUE_PASSWORD, DB_URL, ' +
        "A, B, C, D or E, or declare it",
      "system.secrets.D.template: refers to an optional secret, got ${KEY}; make KEY required",
      "system.secrets.E.template: names no other secret; write it as ${NAME}",
    ],
  ],
  [
    "a name that is not its folder's",
    { name: "store" },
    ['system.name: is not the name of its folder, got "store"; write "shop"'],
  ],
  [
    "a circle, an unknown store, a secret from nowhere, a name that is taken and a route to a worker, all together",
    {
      "services.migrate.dependsOn": ["mail"],
      "services.mail.dependsOn": ["migrate", "cache"],
      "services.mail.connections": { warehouse: 5 },
      "services.api.secrets": ["TOKEN"],
      "services.queue": {
        kind: "worker",
        image: "api",
        networks: ["data"],
        resources: { memory: "64 MB" },
        health: { command: ["ping"] },
      },
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "mail" }] }],
    },
    [
      'system.edge.sites[0].routes[0].service: does not answer HTTP, got "mail" (worker); use api',
      'system.services.api.secrets[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      "system.services.mail.connections.warehouse: " +
        'is not a store of the system, got "warehouse"; use db or queue, or declare it',
      "system.services.mail.dependsOn: waits for itself, got mail → migrate → mail; remove one of these dependencies",
      'system.services.mail.dependsOn[1]: is not a service or store of the system, got "cache"; use migrate, api, queue or ' +
        "db, or declare it",
      "system.services.queue: has the name of a store; names within a system resolve to one thing, rename one of them",
    ],
  ],
];

describe("a system", () => {
  it("is taken when nothing is wrong with it", () => {
    assert.deepEqual(spoilt({}), []);
  });

  it("may have services on one port, for each has an address of its own, and ask a worker on a port", () => {
    const health = { path: "/health", port: 80 };
    const twin = {
      kind: "web",
      image: "api",
      port: 80,
      networks: ["edge", "data"],
      resources: { memory: "64 MB" },
      health,
    };
    assert.deepEqual(spoilt({ "services.twin": twin, "services.mail.health": health }), []);
  });

  itRejects(refusals, spoilt);

  it("rejects what is no system at all", () => {
    const raw = { stack: "local", values: { "berth:system": "shop" }, secretKeys: [], system: "shop" };
    assert.ok(problemsOf(raw).includes('system: is not a mapping, got "shop"; write keys and values'));
  });
});

describe("a system, its hosts and its neighbours, wrong in every way that can be seen beforehand", () => {
  it("are refused in one answer, each mistake with its place and its cure", () => {
    const changes = {
      "services.mail.dependsOn": ["mail", "api", "cache"],
      "services.migrate.dependsOn": ["mail"],
      "services.mail.secrets": ["TOKEN"],
      "services.queue": {
        kind: "web",
        // No mistake: each task has an address of its own, so others on the network may use the port too.
        port: 80,
        image: "api",
        networks: ["edge"],
        resources: { memory: "64 MB" },
        health: { path: "/" },
      },
      "services.api.volumes": { db: "/data" },
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "mail" }] }],
    };
    const host = { name: "vm-1", address: "vm-1", hostKey: sampleHostKey, labels: { edge: "true" }, memory: "512 MB" };
    assert.deepEqual(spoilt(changes, { "berth:hosts": [host] }, ["shop", "shop-eu"]), [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 512 MB for api 128 MB + mail 128 MB + " +
        "queue 64 MB + db 128 MB + queue 128 MB + edge 512 MB = 1.06 GB; add memory or hosts, or lower limits and replicas",
      'berth:system: shares volume, service and network names with the system "shop-eu", got "shop": shop-eu-data could be ' +
        '"eu-data" of shop or "data" of shop-eu; rename one of their folders',
      'system.edge.sites[0].routes[0].service: does not answer HTTP, got "mail" (worker); use api or queue',
      "system.services.api.dependsOn: waits for itself, got api → migrate → mail → api; remove one of these dependencies",
      "system.services.api.volumes.db: has the name of a store's own volume; rename it, or both write into one directory",
      'system.services.mail.dependsOn[0]: is the service itself, got "mail"; remove it',
      'system.services.mail.dependsOn[2]: is not a service or store of the system, got "cache"; use migrate, api, queue or ' +
        "db, or declare it",
      'system.services.mail.secrets[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      "system.services.queue: has the name of a store; names within a system resolve to one thing, rename one of them",
    ]);
  });
});
