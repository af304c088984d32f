import assert from "node:assert/strict";
import { securityHeaders } from "../../components/edge/headers.render.ts";
import { managersOf } from "../../components/config/host.ts";
import { postgresServer } from "../../components/data/postgres.ts";
import type { WebService } from "../../components/config/service.ts";
import type { PostgresStore, RedisStore } from "../../components/config/store.ts";
import { bytes } from "../../components/shared/size.ts";
import { configOf } from "../support/systems.ts";

/* What personal-assistant asked for, held against its system and stack files. */

const { system, hosts, volumes, certificates, cloudflare, firewall } = await configOf(
  "personal-assistant",
  "production",
);

describe("personal-assistant in production", () => {
  const [api, frontend] = ["api", "frontend"].map((name) => system.services[name] as WebService) as [
    WebService,
    WebService,
  ];
  const postgres = system.data.postgres as PostgresStore;
  const redis = system.data.redis as RedisStore;

  it("has three hosts with more than 32 cores and 64 GB together, two of them balancers", () => {
    assert.equal(hosts.length, 3);
    assert.ok(hosts.reduce((sum, { cpus = 0 }) => sum + cpus, 0) >= 46);
    assert.ok(hosts.reduce((sum, { memory = "0 GB" }) => sum + bytes(memory), 0) >= bytes("92 GB"));
    assert.ok(hosts.every(({ disk = "0 GB" }) => bytes(disk) >= bytes("500 GB")));
    assert.equal(hosts.filter(({ labels }) => labels.edge === "true").length, 2);
    assert.equal(managersOf(hosts).length, 3);
  });

  it("gives every component what its document says", () => {
    assert.deepEqual(
      [api, frontend].map(({ replicas, resources: { cpus, memory } }) => [replicas, cpus, memory]),
      [
        [3, 4, "8 GB"],
        [2, 2, "4 GB"],
      ],
    );
    assert.deepEqual([postgres.resources.cpus, postgres.resources.memory], [8, "16 GB"]);
    assert.deepEqual([redis.resources.cpus, redis.resources.memory], [2, "4 GB"]);
  });

  it("keeps data on hosts of their own", () => {
    assert.deepEqual(volumes, { postgres: "vm-3", redis: "vm-2" });
  });

  it("lets the edge reach API and frontend, the API alone the stores as well, and the stores nothing outside", () => {
    assert.deepEqual(
      [api, frontend, postgres, redis].map(({ networks }) => networks),
      [["edge", "data"], ["edge"], ["data"], ["data"]],
    );
    assert.deepEqual(system.networks, { edge: { internal: false }, data: { internal: true } });
  });

  it("confines API and frontend and names the three capabilities that they keep", () => {
    for (const { user, readOnly, capabilities, tmpfs } of [api, frontend]) {
      assert.deepEqual([user, readOnly], ["1000:1000", true]);
      assert.deepEqual(capabilities, ["CHOWN", "SETGID", "SETUID"]);
      assert.deepEqual(Object.keys(tmpfs), ["/run"]);
    }
  });

  it("has the settings that the application expects", () => {
    const expected = {
      ENVIRONMENT: "production",
      DEBUG: "false",
      LOG_LEVEL: "INFO",
      DB_POOL_SIZE: "20",
      DB_MAX_OVERFLOW: "30",
      DB_POOL_TIMEOUT: "30",
      DB_POOL_RECYCLE: "3600",
      DB_POOL_PRE_PING: "true",
      REDIS_MAX_CONNECTIONS: "100",
      REDIS_RETRY_ON_TIMEOUT: "true",
      REDIS_SOCKET_KEEPALIVE: "true",
      REDIS_SOCKET_KEEPALIVE_OPTIONS: "{}",
      WORKERS: "4",
      WORKER_CLASS: "uvicorn.workers.UvicornWorker",
      WORKER_CONNECTIONS: "1000",
      MAX_REQUESTS: "1000",
      MAX_REQUESTS_JITTER: "100",
    };
    assert.deepEqual(api.env, expected);
  });

  it("generates keys of the lengths that the application wants", () => {
    const lengths = Object.fromEntries(
      Object.entries(system.secrets).map(([name, spec]) => [name, spec.kind === "generated" ? spec.length : undefined]),
    );
    assert.ok((lengths.JWT_SECRET_KEY ?? 0) >= 64);
    assert.equal(lengths.ENCRYPTION_KEY, 32);
    assert.ok((lengths.SESSION_SECRET ?? 0) >= 64);
    assert.ok((lengths.REDIS_PASSWORD ?? 0) >= 32);
  });

  it("is given the credentials of the outside APIs, and a way to them", () => {
    const supplied = Object.entries(system.secrets).filter(([, { kind }]) => kind === "supplied");
    for (const [name] of supplied) assert.ok(api.secrets.includes(name), name);
    assert.equal(supplied.length, 5);
    assert.ok(api.networks.some((tier) => system.networks[tier]?.internal === false));
  });

  it("declares as connections what four processes with their pools may open, and puts a pooler between", () => {
    const { WORKERS, DB_POOL_SIZE, DB_MAX_OVERFLOW, REDIS_MAX_CONNECTIONS } = api.env;
    const workers = Number(WORKERS);
    assert.deepEqual(api.connections, {
      "postgres-pooler": workers * (Number(DB_POOL_SIZE) + Number(DB_MAX_OVERFLOW)),
      redis: workers * Number(REDIS_MAX_CONNECTIONS),
    });
    assert.equal(postgres.maxConnections, 200);
    assert.ok(postgres.pooler);
  });

  it("has a role that owns, one that writes and one that reads", () => {
    const { personal_assistant_prod: database } = postgres.databases;
    assert.equal(database?.owner, "migration_user");
    assert.deepEqual(database.access, { app_user: "write", backup_user: "read" });
    assert.deepEqual(database.extensions, ["pg_stat_statements"]);
  });

  it("tunes Postgres as its document has it", () => {
    const expected = {
      work_mem: "64MB",
      wal_buffers: "16MB",
      checkpoint_completion_target: "0.9",
      default_statistics_target: "100",
      random_page_cost: "1.1",
      effective_io_concurrency: "200",
      log_min_duration_statement: "1000",
    };
    assert.deepEqual({ ...postgres.settings, ...expected }, postgres.settings);
  });

  it("has the memory of its document from the limit of Postgres, and its shared memory with it", () => {
    const { args, tmpfs } = postgresServer(postgres);
    for (const setting of ["shared_buffers=4096MB", "effective_cache_size=12288MB", "maintenance_work_mem=512MB"]) {
      assert.ok(args.includes(setting), setting);
    }
    assert.equal(tmpfs["/dev/shm"], "4096 MB");
  });

  it("leaves its hosts room for what its document's table has and the system not yet", () => {
    const things = [...Object.values(system.services), postgres, redis, postgres.pooler!];
    const asked = things.reduce((sum, thing) => {
      const tasks = "replicas" in thing ? thing.replicas : 1;
      return sum + ("kind" in thing && thing.kind === "job" ? 0 : bytes(thing.resources.memory) * tasks);
    }, 0);
    // Two balancers, the replica, two further Redis, monitoring.
    const later = 2 * 4 + 16 + 2 * 4 + 8;
    assert.ok(asked + later * bytes("1 GB") <= hosts.length * bytes("32 GB"), `${asked / bytes("1 GB")} GB`);
  });

  it("has a certificate with an RSA key of 4096 bits", () => {
    assert.deepEqual(
      certificates.map(({ key }) => key),
      ["rsa-4096"],
    );
  });

  it("is behind a CDN, which keeps files that are named by their content and cannot be passed by", () => {
    assert.ok(cloudflare !== "none" && cloudflare.proxied);
    assert.equal(firewall.web, "cloudflare");
    const cached = system.edge.sites[0]?.routes.filter(({ cache }) => cache === "hashed").map(({ path }) => path);
    assert.deepEqual(cached, ["/assets"]);
  });

  it("evicts from Redis only what expires", () => {
    assert.deepEqual([redis.maxmemoryPolicy, redis.appendonly], ["volatile-lru", true]);
  });

  it("migrates once, in the API's image, as the owner", () => {
    const { migrate } = system.services;
    assert.deepEqual([migrate?.kind, migrate?.image], ["job", "api"]);
    assert.equal(migrate?.env.DATABASE_URL_FILE, "/run/secrets/MIGRATION_DATABASE_URL");
    assert.ok(api.dependsOn.includes("migrate"));
  });

  it("vacuums and reindexes weekly as the owner, with its password from a file, without blocking writes", () => {
    const { upkeep } = system.services;
    assert.ok(upkeep?.kind === "schedule");
    assert.deepEqual([upkeep.cron, upkeep.image], ["30 3 * * sun", "postgres"]);
    assert.deepEqual(upkeep.secrets, [postgres.roles.migration_user?.passwordSecret]);
    const { owner } = postgres.databases[upkeep.env.PGDATABASE ?? ""] ?? {};
    assert.equal(upkeep.env.PGUSER, owner);
    const [shell, option, words = ""] = upkeep.command ?? [];
    assert.deepEqual([shell, option], ["sh", "-c"]);
    assert.match(words, /PGPASSWORD=\$\(cat "\$MIGRATION_DATABASE_PASSWORD_FILE"\)[^]*^vacuumdb --analyze$/m);
    assert.match(words, /^reindexdb --concurrently$/m);
  });

  it("balances in turn over API and frontend, five seconds to connect and fifty to answer", () => {
    const [site] = system.edge.sites;
    assert.deepEqual([api.balance, frontend.balance], ["round-robin", "round-robin"]);
    assert.equal(api.health.path, "/health/overall");
    const led = Object.fromEntries((site?.routes ?? []).map(({ path, service }) => [path, service]));
    assert.deepEqual(led, {
      "/": "frontend",
      "/assets": "frontend",
      "/api": "api",
      "/api/admin": "api",
      "/health/overall": "api",
      "/health/database": "api",
    });
    for (const { connectTimeout, timeout } of site?.routes ?? []) {
      assert.deepEqual([connectTimeout, timeout], ["5 seconds", "50 seconds"]);
    }
  });

  it("speaks TLS with the suites of its document that there are, for a key that they fit", () => {
    assert.deepEqual(system.edge.tls, {
      minVersion: "1.2",
      suites: ["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"],
      preferServer: false,
      sessionTimeout: "10 minutes",
    });
    assert.equal(system.edge.certificates.main?.key, "rsa-4096");
  });

  it("has visitors come through Cloudflare, which keeps the static files of the frontend", () => {
    assert.ok(cloudflare !== "none" && cloudflare.proxied);
    const kept = system.edge.sites.flatMap(({ routes }) => routes.filter(({ cache }) => cache === "hashed"));
    assert.deepEqual(
      kept.map(({ path, service }) => [path, service]),
      [["/assets", "frontend"]],
    );
  });

  it("answers operators alone on administration and on what the database tells", () => {
    const closed = system.edge.sites[0]?.routes.filter(({ access }) => access === "operators").map(({ path }) => path);
    assert.deepEqual(closed, ["/api/admin", "/health/database"]);
  });

  it("sends the headers of its document", () => {
    const { security, headers } = system.edge.sites[0]!;
    const sent: Record<string, string> = { ...securityHeaders(security), ...headers };
    const asked = {
      "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
      "X-Frame-Options": "DENY",
      "X-Content-Type-Options": "nosniff",
      "X-XSS-Protection": "1; mode=block",
      "Referrer-Policy": "strict-origin-when-cross-origin",
      "Content-Security-Policy":
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
        "img-src 'self' data: https:; font-src 'self' data:; connect-src 'self' https:; frame-ancestors 'none'",
    };
    assert.deepEqual({ ...sent, ...asked }, sent);
  });
});
