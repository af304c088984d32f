import { defineSystem } from "../../components/config/system.ts";

/**
 * A personal assistant for people with ADHD, by text message and web: three tasks of an API, two of a frontend,
 * Postgres and Redis, on three hosts. What its images must bring along stands in README.md beside this file.
 */

/** What its document asks of every container, and the three capabilities it keeps. */
const hardened = { user: "1000:1000", readOnly: true, capabilities: ["CHOWN", "SETGID", "SETUID"] } as const;

const settings = {
  ENVIRONMENT: "production",
  DEBUG: "false",
  LOG_LEVEL: "INFO",
};
const pool = {
  DB_POOL_SIZE: "20",
  DB_MAX_OVERFLOW: "30",
  DB_POOL_TIMEOUT: "30",
  DB_POOL_RECYCLE: "3600",
  DB_POOL_PRE_PING: "true",
  REDIS_MAX_CONNECTIONS: "100",
  REDIS_RETRY_ON_TIMEOUT: "true",
  REDIS_SOCKET_KEEPALIVE: "true",
  REDIS_SOCKET_KEEPALIVE_OPTIONS: "{}",
};
const server = {
  WORKERS: "4",
  WORKER_CLASS: "uvicorn.workers.UvicornWorker",
  WORKER_CONNECTIONS: "1000",
  MAX_REQUESTS: "1000",
  MAX_REQUESTS_JITTER: "100",
};

// As the balancer of its document: five seconds for a connection, fifty for an answer.
const patience = { connectTimeout: "5 seconds", timeout: "50 seconds" } as const;

/** Weekly, and without locks that readers or writers would wait for. */
const upkeep = `set -eu
PGPASSWORD=$(cat "$MIGRATION_DATABASE_PASSWORD_FILE")
export PGPASSWORD
vacuumdb --analyze
reindexdb --concurrently
`;

const headers = { "X-XSS-Protection": "1; mode=block" };
const policy = {
  "default-src": ["'self'"],
  "script-src": ["'self'", "'unsafe-inline'"],
  "style-src": ["'self'", "'unsafe-inline'"],
  "img-src": ["'self'", "data:", "https:"],
  "font-src": ["'self'", "data:"],
  "connect-src": ["'self'", "https:"],
  "frame-ancestors": ["'none'"],
};

export default defineSystem({
  name: "personal-assistant",

  networks: { edge: {}, data: { internal: true } },

  services: {
    migrate: {
      kind: "job",
      image: "api",
      command: ["berth-app", "migrate"],
      env: { ...settings, DATABASE_URL_FILE: "/run/secrets/MIGRATION_DATABASE_URL" },
      secrets: ["MIGRATION_DATABASE_URL"],
      networks: ["data"],
      resources: { memory: "512 MB" },
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    api: {
      ...hardened,
      kind: "web",
      image: "api",
      port: 8000,
      replicas: 3,
      balance: "round-robin",
      env: { ...settings, ...pool, ...server },
      secrets: [
        "DATABASE_URL",
        "REDIS_URL",
        "JWT_SECRET_KEY",
        "ENCRYPTION_KEY",
        "SESSION_SECRET",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "GOOGLE_CLIENT_SECRET",
        "MICROSOFT_CLIENT_SECRET",
        "NOTION_API_KEY",
      ],
      networks: ["edge", "data"],
      resources: { memory: "8 GB", cpus: 4 },
      tmpfs: { "/run": "16 MB" },
      health: { path: "/health/overall", startInterval: "2 seconds", timeout: "5 seconds" },
      // One after another: two further tasks would need 16 GB more for the time of a rollout.
      rollout: { parallelism: 1 },
      dependsOn: ["migrate", "postgres", "redis"],
      // Four processes, each with its pool and overflow, and as many with 100 connections to Redis.
      connections: { "postgres-pooler": 200, redis: 400 },
    },
    // As the owner of the tables. The server's own catalogs belong to its superuser: they are skipped, with a warning.
    upkeep: {
      kind: "schedule",
      image: "postgres",
      cron: "30 3 * * sun",
      timeout: "2 hours",
      command: ["sh", "-c", upkeep],
      env: { PGHOST: "postgres", PGUSER: "migration_user", PGDATABASE: "personal_assistant_prod" },
      secrets: ["MIGRATION_DATABASE_PASSWORD"],
      networks: ["data"],
      resources: { memory: "256 MB" },
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    frontend: {
      ...hardened,
      kind: "web",
      image: "frontend",
      port: 3000,
      replicas: 2,
      balance: "round-robin",
      env: settings,
      networks: ["edge"],
      resources: { memory: "4 GB", cpus: 2 },
      tmpfs: { "/run": "16 MB" },
      health: { path: "/health" },
      rollout: { parallelism: 1 },
    },
  },

  data: {
    postgres: {
      kind: "postgres",
      image: "postgres",
      networks: ["data"],
      resources: { memory: "16 GB", cpus: 8 },
      roles: {
        migration_user: { passwordSecret: "MIGRATION_DATABASE_PASSWORD" },
        app_user: { passwordSecret: "APP_DATABASE_PASSWORD" },
        backup_user: { passwordSecret: "BACKUP_DATABASE_PASSWORD" },
      },
      databases: {
        personal_assistant_prod: {
          owner: "migration_user",
          access: { app_user: "write", backup_user: "read" },
          extensions: ["pg_stat_statements"],
        },
      },
      maxConnections: 200,
      // Sizes of memory follow from its limit: a quarter shared, three quarters as cache.
      settings: {
        work_mem: "64MB",
        wal_buffers: "16MB",
        checkpoint_completion_target: "0.9",
        default_statistics_target: "100",
        random_page_cost: "1.1",
        effective_io_concurrency: "200",
        log_min_duration_statement: "1000",
        log_line_prefix: "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
      },
      // Twelve processes with fifty connections each do not fit into 200: they share these.
      pooler: { resources: { memory: "256 MB" }, poolSize: 60, maxClientConnections: 1000 },
    },
    // Sessions and caches, all of which expire: of these the least used go first.
    redis: {
      kind: "redis",
      image: "redis",
      networks: ["data"],
      resources: { memory: "4 GB", cpus: 2 },
      passwordSecret: "REDIS_PASSWORD",
      maxmemory: "3 GB",
      maxmemoryPolicy: "volatile-lru",
    },
  },

  secrets: {
    JWT_SECRET_KEY: { kind: "generated", length: 64 },
    ENCRYPTION_KEY: { kind: "generated", length: 32 },
    SESSION_SECRET: { kind: "generated", length: 64 },
    MIGRATION_DATABASE_PASSWORD: { kind: "generated", length: 32 },
    APP_DATABASE_PASSWORD: { kind: "generated", length: 32 },
    BACKUP_DATABASE_PASSWORD: { kind: "generated", length: 32 },
    REDIS_PASSWORD: { kind: "generated", length: 32 },
    // Past the pooler: a migration keeps a session, for indexes that are made concurrently.
    MIGRATION_DATABASE_URL: {
      kind: "composed",
      template: "postgresql://migration_user:${MIGRATION_DATABASE_PASSWORD}@postgres:5432/personal_assistant_prod",
    },
    DATABASE_URL: {
      kind: "composed",
      template: "postgresql+asyncpg://app_user:${APP_DATABASE_PASSWORD}@postgres-pooler:6432/personal_assistant_prod",
    },
    REDIS_URL: { kind: "composed", template: "redis://:${REDIS_PASSWORD}@redis:6379/0" },
    TWILIO_ACCOUNT_SID: { kind: "supplied" },
    TWILIO_AUTH_TOKEN: { kind: "supplied" },
    GOOGLE_CLIENT_SECRET: { kind: "supplied" },
    MICROSOFT_CLIENT_SECRET: { kind: "supplied" },
    NOTION_API_KEY: { kind: "supplied" },
  },

  edge: {
    certificates: { main: { key: "rsa-4096" } },
    tls: { suites: ["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"] },
    sites: [
      {
        host: "${domain}",
        security: { csp: policy },
        headers,
        routes: [
          { ...patience, path: "/", service: "frontend" },
          // Named by their content, see README.md.
          { ...patience, path: "/assets", service: "frontend", cache: "hashed" },
          { ...patience, path: "/api", service: "api", bodySize: "10 MB" },
          { ...patience, path: "/api/admin", service: "api", access: "operators" },
          { ...patience, path: "/health/overall", service: "api", accessLog: false },
          { ...patience, path: "/health/database", service: "api", access: "operators", accessLog: false },
        ],
      },
    ],
  },
});
