import assert from "node:assert/strict";
import { spoilt } from "../support/spoilt-system.ts";

/* Bad stores and what is said about them: nothing less, nothing more. */

const common = { networks: ["data"], resources: { memory: "128 MB" } };
const rabbitmq = { kind: "rabbitmq", image: "queue", ...common, users: { app: { passwordSecret: "QUEUE_PASSWORD" } } };
const clickhouse = {
  kind: "clickhouse",
  image: "queue",
  ...common,
  databases: ["events"],
  users: { app: { passwordSecret: "QUEUE_PASSWORD" } },
};
const mongodb = { kind: "mongodb", image: "queue", ...common, passwordSecret: "QUEUE_PASSWORD" };
const managed = { kind: "managed", server: "redis", urlSecret: "URL" };
const supplied = { "secrets.URL": { kind: "supplied" } };
const long = "s".repeat(30);
const longStore = "d".repeat(26);
const unusedPin = "berth:images.queue: is used by nothing in the system; remove it, or use api, db or edge";

const cases: [title: string, changes: Record<string, unknown>, problems: string[], values?: Record<string, unknown>][] =
  [
    ["RabbitMQ", { "data.queue": rabbitmq }, []],
    ["ClickHouse", { "data.queue": clickhouse }, []],
    ["MongoDB", { "data.queue": mongodb }, []],
    [
      "databases whose roles nothing declares",
      { "data.db.databases": { shop: { owner: "shops", access: { report: "read" } } } },
      [
        'system.data.db.databases.shop.access.report: is not a role of the store, got "report"; use shop, or declare it',
        'system.data.db.databases.shop.owner: is not a role of the store, got "shops"; use shop, or declare it',
      ],
    ],
    [
      "an owner that is given less",
      { "data.db.databases.shop.access": { shop: "read" } },
      ["system.data.db.databases.shop.access.shop: owns the database already; remove it"],
    ],
    [
      "another right than there are",
      { "data.db.databases.shop.access": { shop: "all" } },
      ['system.data.db.databases.shop.access.shop: is not one of the choices, got "all"; write read or write'],
    ],
    [
      "no database",
      { "data.db.databases": {} },
      ["system.data.db.databases: names nothing, got an empty mapping; declare at least one database"],
    ],
    [
      "databases and roles of the server itself",
      {
        "data.db.roles.postgres": { passwordSecret: "DB_PASSWORD" },
        "data.db.databases.template1": { owner: "shop" },
      },
      [
        "system.data.db.databases.template1: belongs to the server itself; give the database another name",
        "system.data.db.roles.postgres: is reserved; give the role another name",
      ],
    ],
    [
      "extensions that are none, or there twice",
      { "data.db.databases.shop.extensions": ["citext", "citext", 'a"b'] },
      [
        'system.data.db.databases.shop.extensions[1]: is the name of another extension, got "citext"; remove one of them',
        'system.data.db.databases.shop.extensions[2]: is not an extension, got "a\\"b"; write its name as CREATE EXTENSION takes it',
      ],
    ],
    [
      "settings that other fields decide",
      { "data.db.settings": { max_connections: "500", ssl: "on", listen_addresses: "*" } },
      [
        "system.data.db.settings.listen_addresses: is not set here; remove it; the store's networks decide who reaches it",
        "system.data.db.settings.max_connections: is not set here; write `maxConnections` of the store",
        "system.data.db.settings.ssl: is not set here; write `tls` of the store",
      ],
    ],
    [
      "buffers that leave no memory for sessions",
      { "data.db.settings": { shared_buffers: "96MB" } },
      [
        'system.data.db.settings.shared_buffers: leaves PostgreSQL no memory for its sessions, got "96MB" of a limit of "128 MB"; ' +
          "write half of the limit or less, or remove it: a quarter is taken by itself",
      ],
    ],
    [
      "certificates that berth makes up",
      { "data.db.tls": { certificateSecret: "DB_PASSWORD", keySecret: "KEY" } },
      [
        'system.data.db.tls.certificateSecret: is not a supplied secret, got "DB_PASSWORD" (generated); declare one of kind supplied',
        'system.data.db.tls.keySecret: may be left unset, got "KEY"; make KEY required',
      ],
    ],
    [
      "a pool that is larger than what the server takes",
      {
        "data.db.maxConnections": 50,
        "data.db.pooler": { image: "db", resources: { memory: "64 MB" }, poolSize: 48 },
      },
      [
        "system.data.db.maxConnections: is less than the tasks of a rollout may open, got 50 for pooler 1 × 48 + " +
          "administration 3 = 51; write 51 or more, or give services fewer replicas or smaller pools",
      ],
    ],
    [
      "more clients than the pooler takes, counted apart from the server's own",
      {
        "data.db.pooler": { image: "db", resources: { memory: "64 MB" }, maxClientConnections: 30 },
        "services.api.connections": { "db-pooler": 20, db: 1 },
      },
      [
        "system.data.db.pooler.maxClientConnections: is less than the tasks of a rollout may open, got 30 for api 2 × 20 = 40; " +
          "write 40 or more, or give services fewer replicas or smaller pools",
      ],
    ],
    [
      "a pooler that nobody runs",
      { "services.api.connections": { "db-pooler": 5 } },
      [
        'system.services.api.connections.db-pooler: is not a store of the system, got "db-pooler"; use db or queue, or declare it',
      ],
    ],
    [
      "a pooler whose image is pinned nowhere, under another's name",
      {
        "data.db.pooler": { resources: { memory: "64 MB" } },
        "data.db-pooler": { ...mongodb },
      },
      [
        "berth:images.pgbouncer: is missing; run `npm run berth -- pin local pgbouncer=<tag>`, or before the first up write its " +
          "repository:tag@sha256:…",
        "system.data.db.pooler: is reached as db-pooler, which is another part of the system; rename one of them",
      ],
    ],
    [
      "a pooler whose name Docker has no room for",
      {
        name: long,
        [`data.${longStore}`]: {
          kind: "postgres",
          image: "db",
          ...common,
          roles: { report: { passwordSecret: "DB_PASSWORD" } },
          databases: { report: { owner: "report" } },
          pooler: { image: "db", resources: { memory: "64 MB" } },
        },
      },
      [
        `system.data.${longStore}.pooler: has a name above Docker's 63 characters, got "${long}-${longStore}-pooler"; give ` +
          `${longStore} a name that is shorter by 1`,
      ],
      { "berth:system": long },
    ],
    [
      "a pooler before a server that asks for client certificates",
      {
        ...supplied,
        "data.db.tls": { certificateSecret: "URL", keySecret: "URL", clientCaSecret: "URL" },
        "data.db.pooler": { image: "db", resources: { memory: "64 MB" } },
      },
      ["system.data.db.tls.clientCaSecret: cannot show a client certificate; remove it, or the pooler"],
      { "shop:URL": "pem" },
    ],
    [
      "Redis users with keys, commands or passwords that are none",
      {
        "data.queue.users": {
          default: { passwordSecret: "QUEUE_PASSWORD" },
          cart: { passwordSecret: "CART", keys: ["cart *"], commands: ["flushall"] },
        },
      },
      [
        'system.data.queue.users.cart.commands[0]: is not a rule, got "flushall"; write it as ACL SETUSER does, for example ' +
          "+@read or -flushall",
        'system.data.queue.users.cart.keys[0]: is not a pattern, got "cart *"; write it without blanks',
        'system.data.queue.users.cart.passwordSecret: is not a secret of the system, got "CART"; use KEY, DB_PASSWORD, ' +
          "QUEUE_PASSWORD or DB_URL, or declare it",
        "system.data.queue.users.default: is there already; its password is `passwordSecret`",
      ],
    ],
    [
      "RabbitMQ without users, and with virtual hosts twice",
      { "data.queue": { ...rabbitmq, users: {}, vhosts: ["a", "a"] } },
      [
        "system.data.queue.users: names nothing, got an empty mapping; declare at least one user",
        'system.data.queue.vhosts[1]: is the name of another virtual host, got "a"; remove one of them',
      ],
    ],
    [
      "a virtual host that nothing declares",
      { "data.queue": { ...rabbitmq, vhosts: ["mail"] } },
      ['system.data.queue.users.app.vhosts[0]: is not a virtual host of the store, got "/"; use mail, or declare it'],
    ],
    [
      "two databases of one name",
      { "data.queue": { ...clickhouse, databases: ["events", "events"] } },
      ['system.data.queue.databases[1]: is the name of another database, got "events"; remove one of them'],
    ],
    [
      "a database that nothing declares",
      {
        "data.queue.kind": undefined,
        "data.queue": {
          ...clickhouse,
          users: {
            app: { passwordSecret: "QUEUE_PASSWORD" },
            b: { passwordSecret: "DB_PASSWORD", databases: ["logs"] },
          },
        },
      },
      ['system.data.queue.users.b.databases[0]: is not a database of the store, got "logs"; use events, or declare it'],
    ],
    [
      "a first user that cannot make the databases",
      { "data.queue": { ...clickhouse, users: { app: { passwordSecret: "QUEUE_PASSWORD", readOnly: true } } } },
      [
        "system.data.queue.users.app.readOnly: is true for the first user, got true; put a user first that may make the databases",
      ],
    ],
    [
      "root as the server's user",
      { "data.queue": { ...mongodb, user: "0:0" } },
      [
        'system.data.queue.user: is not a numeric user and group, got "0:0"; write for example "1000:1000"; root is refused',
      ],
    ],
    [
      "a password that MongoDB cannot change",
      { "data.queue": mongodb },
      [
        "berth:secretGenerations.QUEUE_PASSWORD: is the password of queue, which MongoDB takes only when its volume is empty, got " +
          "generation 2; remove it, and make another user in the server for a new password",
      ],
      { "berth:secretGenerations": { QUEUE_PASSWORD: 2 } },
    ],
    [
      "a managed store without a URL",
      { "data.queue": { kind: "managed", server: "redis" } },
      [
        unusedPin,
        "system.data.queue.urlSecret: is missing; add it: Supplied secret with its URL, which services are given as any other " +
          "secret",
      ],
    ],
    [
      "a managed store whose URL berth makes up, or may be unset",
      { "data.queue": { ...managed, urlSecret: "DB_URL" }, "data.other": { ...managed, urlSecret: "KEY" } },
      [
        unusedPin,
        'system.data.other.urlSecret: may be left unset, got "KEY"; make KEY required',
        'system.data.queue.urlSecret: is not a supplied secret, got "DB_URL" (composed); declare one of kind supplied',
      ],
    ],
    [
      "what a managed store does not have",
      { ...supplied, "data.queue": { ...managed, image: "queue" } },
      ["system.data.queue.image: is not a known key; use kind, server, urlSecret, tls, ca or maxConnections"],
      { "shop:URL": "rediss://:p@cache.test" },
    ],
    [
      "more connections than a managed plan allows",
      { ...supplied, "data.queue": { ...managed, maxConnections: 5 }, "services.mail.connections": { queue: 3 } },
      [
        unusedPin,
        "system.data.queue.maxConnections: is less than the tasks of a rollout may open, got 5 for mail 2 × 3 = 6; write 6 or " +
          "more, or give services fewer replicas or smaller pools",
      ],
      { "shop:URL": "rediss://:p@cache.test" },
    ],
  ];

describe("a store of a system", () => {
  for (const [title, changes, problems, values] of cases) {
    it(problems.length === 0 ? `may be ${title}` : `rejects ${title}`, () => {
      assert.deepEqual(spoilt(changes, values), problems);
    });
  }
});

describe("the URL of a managed store", () => {
  const said = (server: string, url: string, changes: object = {}) =>
    spoilt({ ...supplied, "data.queue": { ...managed, server, ...changes } }, { "shop:URL": url }).filter(
      (problem) => problem !== unusedPin,
    );

  for (const [server, url] of [
    ["postgres", "postgresql+asyncpg://u:p@db.test/x"],
    ["redis", "rediss://:p@cache.test:6380/0"],
    ["rabbitmq", "amqps://u:p@queue.test"],
    ["mongodb", "mongodb://u:p@a.test,b.test/x?replicaSet=r&tls=true"],
    ["clickhouse", "https://u:p@olap.test:8443"],
  ] as const) {
    it(`is taken for ${server}`, () => {
      assert.deepEqual(said(server, url), []);
    });
  }

  for (const [title, server, url, problem] of [
    [
      "of another server",
      "postgres",
      "mysql://u:secret@h/x",
      "is not the URL of a postgres; write postgresql://user:password@host:5432/database?sslmode=require",
    ],
    ["that is none", "redis", "secret", "is not the URL of a redis; write rediss://:password@host:6380/0"],
    [
      "in clear",
      "redis",
      "redis://:secret@h",
      "asks for no TLS; write rediss://:password@host:6380/0, or tls: false on the store",
    ],
    [
      "that turns TLS off",
      "postgres",
      "postgres://u:secret@h/x?sslmode=disable",
      "asks for no TLS; write postgresql://user:password@host:5432/database?sslmode=require, or tls: false on the store",
    ],
    [
      "behind a service record",
      "mongodb",
      "mongodb+srv://u:secret@h",
      "names a service record, which cannot be checked; write mongodb:// with the hosts that the provider shows",
    ],
  ] as const) {
    it(`is refused ${title}, without being shown`, () => {
      assert.deepEqual(said(server, url), [`shop:URL: ${problem}`]);
    });
  }

  it("may be in clear where the system says so", () => {
    assert.deepEqual(said("redis", "redis://:p@h", { tls: false }), []);
  });
});
