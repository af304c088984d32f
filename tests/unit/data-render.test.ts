import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { z } from "zod";
import { store as schema, type HostedStore, type ManagedStore, type StoreOf } from "../../components/config/store.ts";
import { clickhouseServer, renderClickhouse, renderUsers } from "../../components/data/clickhouse.ts";
import { endpointsOf, renderManagedCheck } from "../../components/data/managed.render.ts";
import { mongodbServer } from "../../components/data/mongodb.ts";
import { renderPgbouncer, renderUserlist } from "../../components/data/pgbouncer.ts";
import { renderHba, renderPostgresStart } from "../../components/data/postgres.render.ts";
import { postgresServer } from "../../components/data/postgres.ts";
import { rabbitmqServer, renderDefinitions, renderRabbitmq } from "../../components/data/rabbitmq.ts";
import { redisServer, renderAcl } from "../../components/data/redis.ts";
import { golden } from "../support/golden.ts";
import { checkScript } from "../support/shell.ts";

const common = { image: "store", networks: ["data"], resources: { memory: "16 GB" as const } };

function store<Kind extends HostedStore["kind"]>(
  input: Extract<z.input<typeof schema>, { kind: Kind }>,
): StoreOf<Kind> {
  return schema.parse(input) as StoreOf<Kind>;
}

const postgres = store<"postgres">({
  kind: "postgres",
  ...common,
  roles: {
    owner: { passwordSecret: "OWNER" },
    app: { passwordSecret: "APP", connectionLimit: 20 },
    backup: { passwordSecret: "BACKUP" },
  },
  databases: {
    crm: { owner: "owner", access: { app: "write", backup: "read" }, extensions: ["pg_stat_statements", "citext"] },
    audit: { owner: "app" },
  },
  maxConnections: 200,
  settings: { work_mem: "64MB" },
  pooler: { resources: { memory: "64 MB" }, poolSize: 15 },
});
const tls = { certificateSecret: "CERT", keySecret: "KEY" };

/** Values of `-c name=value` arguments. */
const settingsOf = (args: readonly string[]) =>
  Object.fromEntries(
    args.filter((arg) => arg !== "-c").map((arg) => arg.split(/=(.*)/).slice(0, 2) as [string, string]),
  );

/** Compares a script and lets shellcheck look at it. */
function goldenScript(name: string, script: string): void {
  golden(`data/${name}`, script);
  checkScript(script);
}

describe("PostgreSQL as a store", () => {
  it("starts by this script", () => {
    goldenScript("postgres-start.sh", renderPostgresStart(postgres));
  });

  it("takes its memory from the limit, and what the system says before that", () => {
    const settings = settingsOf(postgresServer(postgres).args);
    assert.deepEqual(settings, {
      max_connections: "200",
      shared_buffers: "4096MB",
      effective_cache_size: "12288MB",
      maintenance_work_mem: "512MB",
      work_mem: "64MB",
      random_page_cost: "1.1",
      effective_io_concurrency: "200",
      password_encryption: "scram-sha-256",
      shared_preload_libraries: "pg_stat_statements",
    });
    assert.equal(postgresServer(postgres).tmpfs["/dev/shm"], "4096 MB");
  });

  it("gives sessions memory to sort in, however small the server is", () => {
    const small = { ...postgres, settings: {}, resources: { memory: "128 MB", cpus: 1 } as const };
    const settings = settingsOf(postgresServer(small).args);
    assert.deepEqual([settings.work_mem, settings.maintenance_work_mem], ["4096kB", "16MB"]);
    assert.equal(postgresServer(small).tmpfs["/dev/shm"], "64 MB");
  });

  it("knows nobody by default: without the password nobody logs in, and the superuser not at all", () => {
    assert.equal(
      renderHba({}),
      "local all postgres trust\nhost all postgres all reject\nhost all all all scram-sha-256\n",
    );
  });

  it("takes nothing in clear when it has a certificate, and asks for one when it has a CA", () => {
    assert.match(renderHba({ tls }), /^hostssl all all all scram-sha-256$/m);
    assert.match(
      renderHba({ tls: { ...tls, clientCaSecret: "CA" } }),
      /^hostssl all all all scram-sha-256 clientcert=verify-ca$/m,
    );
    const server = postgresServer({ ...postgres, tls: { ...tls, clientCaSecret: "CA" } });
    const settings = settingsOf(server.args);
    assert.deepEqual(
      [settings.ssl, settings.ssl_cert_file, settings.ssl_key_file, settings.ssl_ca_file],
      ["on", "/run/secrets/CERT", "/run/secrets/KEY", "/run/secrets/CA"],
    );
    assert.deepEqual(server.secrets, ["OWNER", "APP", "BACKUP", "CERT", "KEY", "CA"]);
  });
});

describe("PgBouncer", () => {
  const pooled = { ...postgres, pooler: postgres.pooler! };

  it("is configured by this file", () => {
    golden("data/pgbouncer.ini", renderPgbouncer(pooled, "main"));
    golden("data/pgbouncer-tls.ini", renderPgbouncer({ ...pooled, tls }, "main"));
  });

  it("knows each role with its password, quoted as it reads it", () => {
    const roles = { a: { passwordSecret: "A" }, b: { passwordSecret: "B" } };
    assert.equal(renderUserlist(roles, { A: "plain", B: 'do"uble' }), '"a" "plain"\n"b" "do""uble"\n');
  });
});

describe("Redis as a store", () => {
  const redis = store<"redis">({
    kind: "redis",
    ...common,
    passwordSecret: "MAIN",
    users: {
      jobs: { passwordSecret: "JOBS", keys: ["job:*", "done:*"], channels: ["news"], commands: ["+@all", "-flushall"] },
      reader: { passwordSecret: "READER", commands: ["+@read"] },
    },
    maxmemory: "12 GB",
  });
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

  it("has users by the hashes of their passwords", () => {
    assert.equal(
      renderAcl(redis, { MAIN: "m", JOBS: "j", READER: "r" }),
      [
        `user default on #${sha256("m")} ~* &* +@all`,
        `user jobs on #${sha256("j")} resetchannels ~job:* ~done:* &news +@all -flushall`,
        `user reader on #${sha256("r")} resetchannels ~* +@read`,
        "",
      ].join("\n"),
    );
  });

  it("keeps a queue on disk and a cache nowhere", () => {
    const text = (spec: typeof redis) => redisServer(spec).args.join(" ");
    assert.match(text(redis), /--appendonly yes --appendfsync everysec/);
    assert.doesNotMatch(text(redis), /--save/);
    assert.match(text({ ...redis, appendonly: false }), /--appendonly no .*--save $/);
  });

  it("takes limits and policy, and no password on its command line", () => {
    const { args, files, secrets } = redisServer(redis);
    assert.match(args.join(" "), /--maxmemory 12884901888 --maxmemory-policy noeviction --maxclients 10000/);
    assert.deepEqual(
      files.map(({ name, from }) => [name, from]),
      [["users.acl", ["MAIN", "JOBS", "READER"]]],
    );
    assert.deepEqual(secrets, ["MAIN"]);
  });
});

describe("RabbitMQ as a store", () => {
  const rabbitmq = store<"rabbitmq">({
    kind: "rabbitmq",
    ...common,
    vhosts: ["/", "mail"],
    users: {
      app: { passwordSecret: "APP" },
      ops: { passwordSecret: "OPS", vhosts: ["/", "mail"], administrator: true },
    },
  });

  it("is configured by these files", () => {
    golden("data/rabbitmq.conf", renderRabbitmq(rabbitmq));
    golden("data/rabbitmq-definitions.json", renderDefinitions(rabbitmq, { APP: "a", OPS: "o" }));
    goldenScript("rabbitmq-start.sh", rabbitmqServer(rabbitmq).entrypoint![2]!);
  });

  it("hashes a password as the server checks it", () => {
    const { users } = JSON.parse(renderDefinitions(rabbitmq, { APP: "a", OPS: "o" })) as {
      users: { password_hash: string }[];
    };
    const whole = Buffer.from(users[0]!.password_hash, "base64");
    const expected = createHash("sha256")
      .update(Buffer.concat([whole.subarray(0, 4), Buffer.from("a")]))
      .digest();
    assert.deepEqual(whole.subarray(4), expected);
  });

  it("keeps the name of its node, to which its data belong, and stays inside of its container with it", () => {
    const { env } = rabbitmqServer(rabbitmq);
    assert.equal(env.RABBITMQ_NODENAME, "rabbit@localhost");
    assert.match(env.RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS!, /inet_dist_use_interface \{127,0,0,1\}/);
    assert.equal(env.ERL_EPMD_ADDRESS, "127.0.0.1");
  });
});

describe("MongoDB as a store", () => {
  const mongodb = store<"mongodb">({ kind: "mongodb", ...common, passwordSecret: "ROOT" });

  it("is told its user by the variables of the official image, the password as a file", () => {
    const { env, secrets } = mongodbServer(mongodb);
    assert.equal(env.MONGO_INITDB_ROOT_USERNAME, "root");
    assert.equal(env.MONGO_INITDB_ROOT_PASSWORD_FILE, "/run/secrets/ROOT");
    assert.deepEqual(secrets, ["ROOT"]);
  });

  it("caches in half of what is left beside the first gigabyte", () => {
    const cache = (memory: "512 MB" | "1 GB" | "16 GB") =>
      mongodbServer({ ...mongodb, resources: { memory, cpus: 1 } }).args.join(" ");
    assert.deepEqual(
      [cache("512 MB"), cache("1 GB"), cache("16 GB")],
      ["0.25", "0.25", "7.50"].map((size) => `--wiredTigerCacheSizeGB ${size}`),
    );
  });
});

describe("ClickHouse as a store", () => {
  const clickhouse = store<"clickhouse">({
    kind: "clickhouse",
    ...common,
    databases: ["events", "archive"],
    users: {
      writer: { passwordSecret: "WRITER" },
      reader: { passwordSecret: "READER", databases: ["events"], readOnly: true },
    },
  });

  it("is configured by these files", () => {
    golden("data/clickhouse.xml", renderClickhouse(clickhouse));
    golden("data/clickhouse-users.xml", renderUsers(clickhouse, { WRITER: "w", READER: "r" }));
    goldenScript("clickhouse-start.sh", clickhouseServer(clickhouse).entrypoint![2]!);
  });

  it("hands the password of its first user to its client in a file, whatever is in it", () => {
    const file = clickhouseServer(clickhouse).files.find(({ name }) => name === "clickhouse-client.xml")!;
    assert.deepEqual(file.from, ["WRITER"]);
    assert.equal(
      file.render({ WRITER: "a<&>" }),
      "<config><user>writer</user><password>a&lt;&amp;></password></config>\n",
    );
  });
});

describe("a managed store", () => {
  const spec = { kind: "managed", server: "postgres", urlSecret: "URL", tls: true } satisfies ManagedStore;

  for (const [url, server, places] of [
    ["postgresql+asyncpg://u:p%40@db.test/x?ssl=require", "postgres", ["db.test 5432"]],
    ["rediss://:p@cache.test:6380/0", "redis", ["cache.test 6380"]],
    ["amqps://u:p@queue.test", "rabbitmq", ["queue.test 5671"]],
    ["mongodb://u:p@a.test:27018,b.test/x?tls=true", "mongodb", ["a.test 27018", "b.test 27017"]],
    ["https://u:p@olap.test/x", "clickhouse", ["olap.test 443"]],
    ["postgres://u:p@[2001:db8::1]:6543/x", "postgres", ["2001:db8::1 6543"]],
  ] as const) {
    it(`is found at ${places.join(" and ")} by its URL`, () => {
      const found = endpointsOf(server, true, url).map(({ host, port }) => `${host} ${port}`);
      assert.deepEqual(found, places);
    });
  }

  it("is asked by this script, which knows no password", () => {
    const script = (changes: Partial<ManagedStore>) =>
      renderManagedCheck({
        name: "main",
        spec: { ...spec, ...changes },
        url: "postgres://user:hidden@db.test:6543/x",
        release: "0123",
      });
    goldenScript("managed-check.sh", script({}));
    assert.doesNotMatch(script({}), /hidden|user/);
    assert.match(
      script({ server: "redis" }),
      /^encrypted 'db\.test:6543' '-servername' 'db\.test' '-verify_hostname' 'db\.test'$/m,
    );
    assert.doesNotMatch(script({ tls: false }), /^encrypted /m);
  });
});
