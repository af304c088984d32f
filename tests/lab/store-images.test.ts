import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { z } from "zod";
import type { HostedStore } from "../../components/config/store.ts";
import { store as schema } from "../../components/config/store.ts";
import { ensureImages, finished } from "../../lab/build.ts";
import { execIn, hash } from "../../lab/docker.ts";
import { catalog, labImages } from "../../lab/images.ts";
import { ensureCa, ensureServerCertificate } from "../../lab/parts/ca.ts";
import { StoreSwarm, type RunningStore } from "../support/store-swarm.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const docker = new Docker();
const kinds = ["postgres", "pgbouncer", "redis", "rabbitmq", "mongodb", "clickhouse"];

/** Characters that a shell, SQL and a configuration file each read in their own way. */
const awkward = `s3'c"re\\t $(id)`;

const data = { networks: ["data"], resources: { memory: "512 MB" as const } };
function store<Kind extends HostedStore["kind"]>(
  input: Extract<z.input<typeof schema>, { kind: Kind }>,
): Extract<HostedStore, { kind: Kind }> {
  return schema.parse(input) as never;
}

describe("stores, as their components ask a swarm for them", function () {
  this.timeout(300_000);
  let swarm: StoreSwarm;
  let client: (argv: readonly string[]) => Promise<string>;

  before(async () => {
    const { base } = labImages(root, []);
    const wanted = catalog(root).filter(({ repository }) => kinds.includes(repository));
    const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth");
    const images = wanted.map(({ image }) => image);
    await ensureImages(docker, cache, images, (step) => process.stderr.write(`${step}\n`));
    const clientTag = await buildClient(base.tag);
    const tags = Object.fromEntries(wanted.map(({ repository, image }) => [repository, image.tag]));
    swarm = await StoreSwarm.start({ ...tags, client: clientTag });
    client = await swarm.client(clientTag);
  });
  after(() => (swarm as StoreSwarm | undefined)?.stop());

  const python = (script: string) => client(["python3", "-c", script]);
  const refused = async (attempt: Promise<string>, how: RegExp) => assert.rejects(attempt, how);
  /** Memory and rights of the container, and that no process or log shows a password. */
  const contained = async (running: RunningStore, passwords: readonly string[], service?: string) => {
    const { HostConfig, Config } = await running.inspect(service);
    assert.equal(HostConfig.Memory, 512 * 1024 ** 2);
    assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop], [true, ["ALL"]]);
    assert.match(Config.User, /^[1-9]\d*:[1-9]\d*$/);
    assert.deepEqual(HostConfig.PortBindings ?? {}, {});
    const processes = await running.exec(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"], service);
    const shown = processes + (await running.logs(service)) + Config.Env.join("\n");
    for (const password of passwords) assert.ok(!shown.includes(password), "a password is shown");
  };

  describe("postgres", () => {
    const roles = {
      owner: { passwordSecret: "OWNER" },
      app: { passwordSecret: "APP", connectionLimit: 40 },
      report: { passwordSecret: "REPORT" },
      other: { passwordSecret: "OTHER" },
    };
    const spec = store<"postgres">({
      kind: "postgres",
      image: "postgres",
      ...data,
      roles,
      databases: {
        orders: { owner: "owner", access: { app: "write", report: "read" }, extensions: ["pg_stat_statements"] },
        archive: { owner: "other" },
      },
      maxConnections: 60,
      settings: { log_min_duration_statement: "0" },
      pooler: { image: "pgbouncer", resources: { memory: "512 MB" }, poolSize: 3 },
    });
    const passwords = { OWNER: "owner-pw", APP: awkward, REPORT: "report-pw", OTHER: "other-pw" };
    let postgres: RunningStore;
    const ask = async (role: string, password: string, sql: string, where = "-h main -d orders") => {
      const set = `PGPASSWORD=${quote(password)} PGSSLMODE=${where.includes("ssl") ? "require" : "prefer"}`;
      const line = `${set} psql -X -qtA -v ON_ERROR_STOP=1 -U ${role} ${where.replace(" ssl", "")} -c ${quote(sql)} 2>&1`;
      return (await postgres.exec(["sh", "-c", line])).trim();
    };
    before(async () => {
      postgres = await swarm.run("main", spec, passwords);
    });
    after(() => (postgres as RunningStore | undefined)?.remove());

    it("gives each role its rights and nobody else any", async () => {
      assert.equal(await ask("owner", "owner-pw", "CREATE TABLE kept (n serial, text text); SELECT 1"), "1");
      assert.equal(await ask("app", awkward, "INSERT INTO kept (text) VALUES ('a') RETURNING n"), "1");
      assert.equal(await ask("report", "report-pw", "SELECT text FROM kept"), "a");
      assert.equal(await ask("app", awkward, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"), "f");
      await refused(ask("app", awkward, "CREATE TABLE own ()"), /permission denied for schema public/);
      await refused(ask("report", "report-pw", "DELETE FROM kept"), /permission denied for table kept/);
      await refused(ask("other", "other-pw", "SELECT 1"), /permission denied for database "orders"/);
    });

    it("lets nobody in without the password, and the superuser not at all", async () => {
      await refused(ask("app", "wrong", "SELECT 1"), /password authentication failed/);
      await refused(ask("app", "", "SELECT 1"), /no password supplied/);
      await refused(ask("postgres", "", "SELECT 1"), /pg_hba.conf rejects connection/);
      await refused(ask("app", "", "SELECT 1", "-d orders"), /no pg_hba.conf entry/);
    });

    it("is tuned from its memory limit and loads what its extensions need", async () => {
      const settings = ["shared_buffers", "effective_cache_size", "max_connections", "shared_preload_libraries"];
      const sql = `SELECT concat_ws(' ', ${settings.map((name) => `current_setting('${name}')`).join(", ")})`;
      const shown = await postgres.exec(["psql", "-XtA", "-U", "postgres", "-c", sql]);
      assert.equal(shown.trim(), "128MB 384MB 60 pg_stat_statements");
    });

    it("shows its passwords in no process, log or statistics", async () => {
      await contained(postgres, Object.values(passwords));
      await contained(postgres, Object.values(passwords), "main-pooler");
      const seen = await postgres.exec([
        "psql",
        "-U",
        "postgres",
        "-d",
        "orders",
        "-c",
        "SELECT query FROM pg_stat_statements",
      ]);
      assert.match(seen, /SELECT text FROM kept/);
      assert.doesNotMatch(seen, /PASSWORD/);
    });

    it("shares few connections among many clients behind its pooler", async () => {
      const through = "-h main-pooler -p 6432 -d orders";
      await refused(ask("app", "wrong", "SELECT 1", through), /authentication failed/);
      const asked = Array.from({ length: 12 }, () =>
        ask("app", awkward, "SELECT pg_backend_pid(), pg_sleep(0.2)", through),
      );
      const servers = new Set(await Promise.all(asked));
      assert.ok(servers.size <= 3, `${servers.size} server connections for 12 clients`);
    });

    it("keeps its data over a restart and over a kill", async () => {
      for (const how of ["stop", "kill"] as const) {
        await postgres.restart(how);
        assert.equal(await ask("report", "report-pw", "SELECT text FROM kept"), "a");
      }
    });

    it("takes a rotated password, another right and a withdrawn role with its next start", async () => {
      const { other, ...rest } = roles;
      assert.ok(other);
      const next = store<"postgres">({
        ...spec,
        roles: rest,
        databases: { orders: { owner: "owner", access: { app: "read" } }, late: { owner: "app" } },
      });
      await postgres.update(next, { ...passwords, APP: "rotated" });
      assert.equal(await ask("app", "rotated", "SELECT text FROM kept"), "a");
      assert.equal(await ask("app", "rotated", "SELECT text FROM kept", "-h main-pooler -p 6432 -d orders"), "a");
      assert.equal(await ask("app", "rotated", "CREATE TABLE own (); SELECT 2", "-h main -d late"), "2");
      await refused(ask("app", awkward, "SELECT 1"), /password authentication failed/);
      await refused(ask("app", "rotated", "DELETE FROM kept"), /permission denied for table kept/);
      await refused(ask("report", "report-pw", "SELECT 1"), /permission denied for database/);
      await refused(
        ask("other", "other-pw", "SELECT 1", "-h main -d archive"),
        /password authentication failed|not permitted/,
      );
    });
  });

  describe("postgres that cannot be what the system says", () => {
    it("is not healthy, and its log says why", async () => {
      const spec = store<"postgres">({
        kind: "postgres",
        image: "postgres",
        ...data,
        roles: { app: { passwordSecret: "APP" } },
        databases: { orders: { owner: "app", extensions: ["postgis"] } },
      });
      const said = await swarm.refuse("short", spec, { APP: "never-shown" });
      assert.match(said, /extension "postgis" is not available/);
      assert.doesNotMatch(said, /never-shown/);
    });
  });

  describe("postgres with TLS", () => {
    let postgres: RunningStore;
    let directory: string;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "berth-stores-"));
      await ensureCa(directory);
      const { certificate, privateKey } = await ensureServerCertificate(directory, "secure", [
        "secure",
        "secure-pooler",
      ]);
      const spec = store<"postgres">({
        kind: "postgres",
        image: "postgres",
        ...data,
        roles: { app: { passwordSecret: "APP" } },
        databases: { orders: { owner: "app" } },
        tls: { certificateSecret: "CERT", keySecret: "KEY" },
        pooler: { image: "pgbouncer", resources: { memory: "512 MB" } },
      });
      const [CERT, KEY] = await Promise.all([readFile(certificate, "utf8"), readFile(privateKey, "utf8")]);
      postgres = await swarm.run("secure", spec, { APP: "pw", CERT, KEY });
    });
    after(async () => {
      await postgres.remove();
      await rm(directory, { recursive: true });
    });

    for (const [what, where] of [
      ["server", "host=secure"],
      ["pooler", "host=secure-pooler port=6432"],
    ] as const) {
      it(`takes nothing in clear, at its ${what}`, async () => {
        const ask = (mode: string) =>
          postgres.exec([
            "env",
            "PGPASSWORD=pw",
            "psql",
            "-XtA",
            `${where} user=app dbname=orders sslmode=${mode}`,
            "-c",
            "SELECT 7",
          ]);
        assert.equal((await ask("require")).trim(), "7");
        await refused(ask("disable"), /no encryption|SSL required/);
      });
    }
  });

  describe("postgres that was interrupted", () => {
    it("begins again", async () => {
      const image = catalog(root).find(({ repository }) => repository === "postgres")!.image.tag;
      const container = await docker.createContainer({
        Image: image,
        Entrypoint: [
          "sh",
          "-c",
          "mkdir $PGDATA/.new && echo 15 >$PGDATA/.new/PG_VERSION && exec docker-entrypoint.sh postgres",
        ],
        Env: ["POSTGRES_PASSWORD=pw"],
        HostConfig: { Init: true, CapDrop: ["ALL"], AutoRemove: true },
      });
      await container.start();
      await until("postgres accepts connections", 60_000, () =>
        execIn(container, ["pg_isready", "--quiet", "-h", "127.0.0.1"]).then(
          () => true,
          () => undefined,
        ),
      );
      await container.remove({ force: true, v: true });
    });
  });

  describe("redis", () => {
    const spec = store<"redis">({
      kind: "redis",
      image: "redis",
      ...data,
      passwordSecret: "MAIN",
      users: { cart: { passwordSecret: "CART", keys: ["cart:*"], commands: ["+@read", "+@write", "-@dangerous"] } },
      maxmemory: "64 MB",
      maxmemoryPolicy: "allkeys-lru",
      maxclients: 100,
    });
    const passwords = { MAIN: awkward, CART: "cart-pw" };
    let redis: RunningStore;
    const ask = async (auth: string | undefined, ...command: string[]) => {
      const login = auth === undefined ? [] : ["env", `REDISCLI_AUTH=${auth}`];
      return (await redis.exec([...login, "redis-cli", "-h", "sessions", ...command])).trim();
    };
    before(async () => {
      redis = await swarm.run("sessions", spec, passwords);
    });
    after(() => (redis as RunningStore | undefined)?.remove());

    it("wants the password, and gives a user its keys and commands alone", async () => {
      assert.match(await ask(undefined, "get", "key"), /NOAUTH/);
      assert.match(await ask("wrong", "get", "key"), /NOAUTH|WRONGPASS/);
      assert.equal(await ask(awkward, "set", "key", "value"), "OK");
      assert.equal(await ask("cart-pw", "--user", "cart", "set", "cart:1", "full"), "OK");
      assert.match(await ask("cart-pw", "--user", "cart", "get", "key"), /NOPERM/);
      assert.match(await ask("cart-pw", "--user", "cart", "flushall"), /NOPERM/);
      await contained(redis, Object.values(passwords));
    });

    it("has the limits and the policy it was given", async () => {
      const get = async (name: string) => (await ask(awkward, "config", "get", name)).split("\n")[1]?.trim();
      assert.deepEqual(await Promise.all(["maxmemory", "maxmemory-policy", "maxclients", "appendonly"].map(get)), [
        String(64 * 1024 ** 2),
        "allkeys-lru",
        "100",
        "yes",
      ]);
    });

    it("keeps what it was told over a kill, and takes a rotated password", async () => {
      await redis.restart("kill");
      assert.equal(await ask(awkward, "get", "key"), "value");
      await redis.update(spec, { ...passwords, MAIN: "rotated" });
      assert.equal(await ask("rotated", "get", "cart:1"), "full");
      assert.match(await ask(awkward, "get", "key"), /NOAUTH|WRONGPASS/);
    });
  });

  describe("rabbitmq", () => {
    const spec = store<"rabbitmq">({
      kind: "rabbitmq",
      image: "rabbitmq",
      ...data,
      vhosts: ["/", "mail"],
      users: { app: { passwordSecret: "APP" }, mailer: { passwordSecret: "MAILER", vhosts: ["mail"] } },
      diskFreeLimit: "50 MB",
    });
    const passwords = { APP: awkward, MAILER: "mailer-pw" };
    let rabbitmq: RunningStore;
    const amqp = (user: string, password: string, vhost: string, does: string) =>
      python(`import pika
c = pika.BlockingConnection(pika.ConnectionParameters("queue", 5672, ${JSON.stringify(vhost)},
  pika.PlainCredentials(${JSON.stringify(user)}, ${JSON.stringify(password)}))).channel()
${does}`);
    before(async () => {
      rabbitmq = await swarm.run("queue", spec, passwords);
    });
    after(() => (rabbitmq as RunningStore | undefined)?.remove());

    it("lets each user into its virtual hosts alone", async () => {
      await amqp("app", awkward, "/", "");
      await amqp("mailer", "mailer-pw", "mail", "");
      await refused(amqp("mailer", "mailer-pw", "/", ""), /access to vhost '\/' refused/);
      await refused(amqp("app", "wrong", "/", ""), /ACCESS_REFUSED/);
      await refused(amqp("guest", "guest", "/", ""), /ACCESS_REFUSED/);
      await contained(rabbitmq, Object.values(passwords));
    });

    it("counts memory against its own limit", async () => {
      const limit = await rabbitmq.exec(["rabbitmqctl", "--quiet", "eval", "vm_memory_monitor:get_memory_limit()."]);
      assert.equal(Number(limit.trim()), Math.floor(512 * 1024 ** 2 * 0.6));
    });

    it("keeps durable messages over a kill, and takes rotated passwords and withdrawn users", async () => {
      await amqp(
        "app",
        awkward,
        "/",
        `c.queue_declare("jobs", durable=True)
c.confirm_delivery()
c.basic_publish("", "jobs", b"kept", pika.BasicProperties(delivery_mode=2))`,
      );
      // What the queue holds is on disk once it is confirmed; that there is a queue, RabbitMQ writes down a little later.
      await rabbitmq.exec(["rabbitmqctl", "--quiet", "eval", "mnesia:sync_log()."]);
      await rabbitmq.restart("kill");
      assert.match(await amqp("app", awkward, "/", `print(c.basic_get("jobs")[2])`), /kept/);
      const { mailer, ...users } = spec.users;
      assert.ok(mailer);
      await rabbitmq.update({ ...spec, users }, { APP: "rotated" });
      await amqp("app", "rotated", "/", `c.queue_declare("jobs", passive=True)`);
      await refused(amqp("app", awkward, "/", ""), /ACCESS_REFUSED/);
      await refused(amqp("mailer", "mailer-pw", "mail", ""), /ACCESS_REFUSED/);
    });
  });

  describe("mongodb", () => {
    const spec = store<"mongodb">({ kind: "mongodb", image: "mongodb", ...data, passwordSecret: "ROOT" });
    let mongodb: RunningStore;
    const ask = (login: string, does: string) =>
      python(`import pymongo
c = pymongo.MongoClient("mongodb://${login}documents:27017/?authSource=admin&authMechanism=SCRAM-SHA-256", serverSelectionTimeoutMS=3000)
print(${does})`);
    before(async () => {
      mongodb = await swarm.run("documents", spec, { ROOT: "root-pw" });
    });
    after(() => (mongodb as RunningStore | undefined)?.remove());

    it("wants the password", async () => {
      assert.match(await ask("root:root-pw@", `c.chat.messages.insert_one({"_id": 7}).inserted_id`), /^7/);
      await refused(ask("root:wrong@", "c.chat.messages.find_one()"), /Authentication failed/);
      await refused(
        python(
          `import pymongo\npymongo.MongoClient("documents", serverSelectionTimeoutMS=3000).chat.messages.find_one()`,
        ),
        /requires authentication|not authorized|Authentication/,
      );
      await contained(mongodb, ["root-pw"]);
    });

    it("keeps its data over a kill", async () => {
      await mongodb.restart("kill");
      assert.match(await ask("root:root-pw@", "c.chat.messages.find_one()"), /'_id': 7/);
    });
  });

  describe("clickhouse", () => {
    const spec = store<"clickhouse">({
      kind: "clickhouse",
      image: "clickhouse",
      ...data,
      databases: ["events", "archive"],
      users: {
        writer: { passwordSecret: "WRITER" },
        reader: { passwordSecret: "READER", databases: ["events"], readOnly: true },
      },
    });
    const passwords = { WRITER: awkward, READER: "reader-pw" };
    let clickhouse: RunningStore;
    const ask = async (user: string, password: string, query: string) =>
      (
        await clickhouse.exec([
          "clickhouse-client",
          "--host",
          "analytics",
          "--user",
          user,
          "--password",
          password,
          "--query",
          query,
        ])
      ).trim();
    before(async () => {
      clickhouse = await swarm.run("analytics", spec, passwords);
    });
    after(() => (clickhouse as RunningStore | undefined)?.remove());

    it("gives each user its databases and nobody else any", async () => {
      await ask("writer", awkward, "CREATE TABLE events.kept (d Date, n UInt8) ENGINE = MergeTree(d, n, 8192)");
      await ask("writer", awkward, "INSERT INTO events.kept VALUES ('2020-01-01', 7)");
      await ask("writer", awkward, "CREATE TABLE archive.old (n UInt8) ENGINE = Log");
      assert.equal(await ask("reader", "reader-pw", "SELECT n FROM events.kept"), "7");
      await refused(ask("reader", "reader-pw", "INSERT INTO events.kept VALUES ('2020-01-01', 8)"), /readonly/i);
      await refused(ask("reader", "reader-pw", "SELECT n FROM archive.old"), /[Aa]ccess denied|Not enough privileges/);
      await refused(ask("writer", "wrong", "SELECT 1"), /[Ww]rong password|[Aa]uthentication failed/);
      await refused(ask("default", "", "SELECT 1"), /[Uu]nknown user|[Aa]uthentication failed/);
      await contained(clickhouse, Object.values(passwords));
    });

    it("keeps its data over a kill, and takes a rotated password", async () => {
      await clickhouse.restart("kill");
      assert.equal(await ask("writer", awkward, "SELECT n FROM events.kept"), "7");
      await clickhouse.update(spec, { ...passwords, WRITER: "rotated" });
      assert.equal(await ask("writer", "rotated", "SELECT n FROM events.kept"), "7");
      await refused(ask("writer", awkward, "SELECT 1"), /[Ww]rong password|[Aa]uthentication failed/);
    });
  });
});

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Clients of the protocols for which the servers' images have none. */
async function buildClient(base: string): Promise<string> {
  const install = "apt-get update && apt-get install -y --no-install-recommends python3-pymongo python3-pika";
  const dockerfile = `FROM ${base}\nRUN ${install} && rm -rf /var/lib/apt/lists/*\n`;
  const tag = `berth-lab/store-client:${hash(dockerfile)}`;
  const there = await docker
    .getImage(tag)
    .inspect()
    .then(
      () => true,
      () => false,
    );
  if (there) return tag;
  const directory = await mkdtemp(join(tmpdir(), "berth-client-"));
  try {
    await writeFile(join(directory, "Dockerfile"), dockerfile);
    const stream = await docker.buildImage(
      { context: directory, src: ["Dockerfile"] },
      { t: tag, networkmode: "host" },
    );
    await finished(docker, stream, "client");
  } finally {
    await rm(directory, { recursive: true });
  }
  return tag;
}
