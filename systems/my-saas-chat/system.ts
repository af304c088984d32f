import { readFileSync } from "node:fs";
import { defineSystem } from "../../components/config/system.ts";

/**
 * Chat as a service: six applications behind an API of five paths, five stores, a gateway for partners, and what
 * watches them. What its images must bring along stands in README.md beside this file.
 */

const file = (name: string): string => readFileSync(new URL(`files/${name}`, import.meta.url), "utf8");

/** Read by all six applications. */
const settings = {
  NODE_ENV: "production",
  LOG_LEVEL: "info",
  PUBLIC_URL: "https://${domain}",
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4318",
};

/** Slow starters have 30 s before a failed check counts. */
const startup = { startPeriod: "30 seconds" } as const;

/** What the six applications share. `frontend` is their way out, `backend` leads to the stores, `monitoring` to Jaeger. */
const application = {
  user: "1001:1001",
  networks: ["frontend", "backend", "monitoring"],
  env: settings,
};
const web = {
  ...application,
  kind: "web",
  port: 3000,
  health: { path: "/health/ready", startInterval: "1 second", ...startup },
} as const;

const small = { memory: "512 MB", cpus: 1, reserveMemory: "256 MB", reserveCpus: 0.5 } as const;
const medium = { memory: "768 MB", cpus: 1.5, reserveMemory: "384 MB", reserveCpus: 0.5 } as const;
const large = { memory: "1 GB", cpus: 2, reserveMemory: "512 MB", reserveCpus: 1 } as const;

/** Secrets of every application. */
const common = ["JWT_SECRET", "REDIS_URL", "RABBITMQ_URL"];
/** A secret under the name that all applications read it by: each has a database of its own. */
const databaseUrl = (secret: string) => ({ DATABASE_URL_FILE: `/run/secrets/${secret}` });

/** Brings the schemas of one application to its image's version before the application starts. */
const migration = {
  kind: "job",
  command: ["berth-app", "migrate"],
  user: "1001:1001",
  networks: ["backend"],
  resources: { memory: "256 MB" },
} as const;

/** Third-party services: they watch the others and are reached through the edge by operators alone. */
const monitoring = { kind: "web", networks: ["frontend", "monitoring"] } as const;

const hex = { kind: "generated", length: 64, characters: "hex" } as const;
const postgresUrl = (user: string, password: string) =>
  ({ kind: "composed", template: `postgresql://${user}:\${${password}}@postgres:5432/${user}` }) as const;

const apiPolicy = { csp: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] } };
/** Dashboards put scripts and styles into their pages. */
const pagePolicy = {
  csp: {
    "default-src": ["'self'"],
    "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'", "wss://${domain}"],
    "frame-ancestors": ["'none'"],
  },
};
const forOperators = (host: string, service: string) => ({
  host,
  security: pagePolicy,
  routes: [{ path: "/", service, access: "operators" as const, websocket: true }],
});

export default defineSystem({
  name: "my-saas-chat",

  // Its sum of limits is more than four cores, which share what there is.
  machine: { memory: "8 GB", cpus: 4, disk: "100 GB" },

  networks: { frontend: {}, backend: { internal: true }, monitoring: { internal: true } },

  services: {
    "migrate-auth": {
      ...migration,
      image: "auth",
      env: databaseUrl("AUTH_DATABASE_URL"),
      secrets: ["AUTH_DATABASE_URL"],
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    "migrate-chat": { ...migration, image: "chat", secrets: ["MONGODB_URL"], dependsOn: ["mongodb"] },
    "migrate-billing": {
      ...migration,
      image: "billing",
      env: databaseUrl("BILLING_DATABASE_URL"),
      secrets: ["BILLING_DATABASE_URL"],
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    "migrate-analytics": { ...migration, image: "analytics", secrets: ["CLICKHOUSE_URL"], dependsOn: ["clickhouse"] },
    "migrate-orchestrator": {
      ...migration,
      image: "orchestrator",
      env: databaseUrl("ORCHESTRATOR_DATABASE_URL"),
      secrets: ["ORCHESTRATOR_DATABASE_URL"],
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },

    "auth-service": {
      ...web,
      image: "auth",
      resources: small,
      env: { ...settings, ...databaseUrl("AUTH_DATABASE_URL") },
      secrets: [...common, "JWT_REFRESH_SECRET", "ENCRYPTION_KEY", "AUTH_DATABASE_URL"],
      dependsOn: ["migrate-auth", "redis", "rabbitmq"],
      connections: { postgres: 20 },
    },
    "chat-service": {
      ...web,
      image: "chat",
      resources: medium,
      secrets: [...common, "MONGODB_URL", "OPENAI_API_KEY"],
      dependsOn: ["migrate-chat", "redis", "rabbitmq"],
    },
    "billing-service": {
      ...web,
      image: "billing",
      resources: small,
      env: { ...settings, ...databaseUrl("BILLING_DATABASE_URL") },
      secrets: [...common, "BILLING_DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"],
      dependsOn: ["migrate-billing", "redis", "rabbitmq"],
      connections: { postgres: 20 },
    },
    "analytics-service": {
      ...web,
      image: "analytics",
      resources: medium,
      secrets: [...common, "CLICKHOUSE_URL"],
      dependsOn: ["migrate-analytics", "redis", "rabbitmq"],
    },
    "orchestrator-service": {
      ...web,
      image: "orchestrator",
      resources: large,
      env: { ...settings, ...databaseUrl("ORCHESTRATOR_DATABASE_URL") },
      secrets: [...common, "ORCHESTRATOR_DATABASE_URL", "OPENAI_API_KEY"],
      dependsOn: ["migrate-orchestrator", "redis", "rabbitmq"],
      connections: { postgres: 20 },
    },
    "email-worker": {
      ...application,
      kind: "worker",
      image: "email",
      // No figure in its document: it answers nobody and waits for mail servers.
      resources: { memory: "256 MB", cpus: 0.5, reserveMemory: "128 MB", reserveCpus: 0.25 },
      secrets: ["RABBITMQ_URL", "SMTP_URL"],
      health: { command: ["berth-app", "ping"], timeout: "5 seconds", ...startup },
      dependsOn: ["rabbitmq"],
    },

    // Partners come in here; the product's own paths lead straight to the services.
    kong: {
      kind: "web",
      image: "kong",
      port: 8000,
      networks: ["frontend"],
      resources: { memory: "256 MB", cpus: 1 },
      env: {
        KONG_DATABASE: "off",
        KONG_DECLARATIVE_CONFIG: "/etc/kong/kong.yml",
        KONG_PREFIX: "/var/run/kong",
        KONG_PROXY_LISTEN: "0.0.0.0:8000",
        KONG_ADMIN_LISTEN: "off",
        KONG_PROXY_ACCESS_LOG: "/dev/stdout",
        KONG_PROXY_ERROR_LOG: "/dev/stderr",
      },
      files: { "/etc/kong/kong.yml": file("kong.yml") },
      tmpfs: { "/var/run/kong": "64 MB" },
      health: { command: ["kong", "health"], timeout: "5 seconds", ...startup },
    },

    jaeger: {
      ...monitoring,
      image: "jaeger",
      // Its pages; spans arrive on 4317 and 4318.
      port: 16686,
      user: "10001:10001",
      resources: { memory: "256 MB", cpus: 0.5 },
      env: {
        COLLECTOR_OTLP_ENABLED: "true",
        SPAN_STORAGE_TYPE: "badger",
        BADGER_EPHEMERAL: "false",
        BADGER_DIRECTORY_KEY: "/badger/key",
        BADGER_DIRECTORY_VALUE: "/badger/data",
        BADGER_SPAN_STORE_TTL: "72h",
      },
      volumes: { jaeger: "/badger" },
      health: { path: "/", port: 14269, ...startup },
      // Two of them must not write into one directory.
      rollout: { order: "stop-first" },
    },
    prometheus: {
      ...monitoring,
      image: "prometheus",
      port: 9090,
      user: "65534:65534",
      command: [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        "--storage.tsdb.retention.time=15d",
      ],
      resources: { memory: "512 MB", cpus: 1 },
      files: { "/etc/prometheus/prometheus.yml": file("prometheus.yml") },
      volumes: { prometheus: "/prometheus" },
      health: { path: "/-/ready", ...startup },
      rollout: { order: "stop-first" },
    },
    grafana: {
      ...monitoring,
      image: "grafana",
      port: 3000,
      user: "472:472",
      resources: { memory: "256 MB", cpus: 0.5 },
      env: {
        GF_SERVER_ROOT_URL: "https://grafana.${domain}",
        GF_SECURITY_ADMIN_PASSWORD__FILE: "/run/secrets/GRAFANA_PASSWORD",
        GF_ANALYTICS_REPORTING_ENABLED: "false",
      },
      secrets: ["GRAFANA_PASSWORD"],
      files: { "/etc/grafana/provisioning/datasources/berth.yml": file("grafana-datasources.yml") },
      volumes: { grafana: "/var/lib/grafana" },
      health: { path: "/api/health", ...startup },
      rollout: { order: "stop-first" },
      dependsOn: ["prometheus"],
    },
  },

  data: {
    postgres: {
      kind: "postgres",
      image: "postgres",
      networks: ["backend"],
      resources: { memory: "768 MB", cpus: 2 },
      roles: {
        auth: { passwordSecret: "AUTH_DATABASE_PASSWORD" },
        billing: { passwordSecret: "BILLING_DATABASE_PASSWORD" },
        orchestrator: { passwordSecret: "ORCHESTRATOR_DATABASE_PASSWORD" },
      },
      databases: {
        auth: { owner: "auth" },
        billing: { owner: "billing" },
        orchestrator: { owner: "orchestrator" },
      },
      maxConnections: 250,
    },
    mongodb: {
      kind: "mongodb",
      image: "mongodb",
      networks: ["backend"],
      resources: { memory: "512 MB", cpus: 1 },
      passwordSecret: "MONGODB_PASSWORD",
    },
    // Sessions and refresh tokens beside the cache, so nothing is evicted.
    redis: {
      kind: "redis",
      image: "redis",
      networks: ["backend"],
      resources: { memory: "256 MB", cpus: 0.5 },
      passwordSecret: "REDIS_PASSWORD",
      maxmemory: "192 MB",
    },
    clickhouse: {
      kind: "clickhouse",
      image: "clickhouse",
      networks: ["backend"],
      resources: { memory: "1 GB", cpus: 2 },
      databases: ["analytics"],
      users: { analytics: { passwordSecret: "CLICKHOUSE_PASSWORD" } },
    },
    rabbitmq: {
      kind: "rabbitmq",
      image: "rabbitmq",
      networks: ["backend"],
      resources: { memory: "384 MB", cpus: 1 },
      users: { chat: { passwordSecret: "RABBITMQ_PASSWORD" } },
    },
  },

  secrets: {
    JWT_SECRET: hex,
    JWT_REFRESH_SECRET: hex,
    ENCRYPTION_KEY: hex,
    AUTH_DATABASE_PASSWORD: hex,
    BILLING_DATABASE_PASSWORD: hex,
    ORCHESTRATOR_DATABASE_PASSWORD: hex,
    MONGODB_PASSWORD: hex,
    REDIS_PASSWORD: hex,
    CLICKHOUSE_PASSWORD: hex,
    RABBITMQ_PASSWORD: hex,
    GRAFANA_PASSWORD: hex,
    AUTH_DATABASE_URL: postgresUrl("auth", "AUTH_DATABASE_PASSWORD"),
    BILLING_DATABASE_URL: postgresUrl("billing", "BILLING_DATABASE_PASSWORD"),
    ORCHESTRATOR_DATABASE_URL: postgresUrl("orchestrator", "ORCHESTRATOR_DATABASE_PASSWORD"),
    MONGODB_URL: {
      kind: "composed",
      template: "mongodb://root:${MONGODB_PASSWORD}@mongodb:27017/chat?authSource=admin",
    },
    REDIS_URL: { kind: "composed", template: "redis://:${REDIS_PASSWORD}@redis:6379/0" },
    CLICKHOUSE_URL: {
      kind: "composed",
      template: "http://analytics:${CLICKHOUSE_PASSWORD}@clickhouse:8123/analytics",
    },
    RABBITMQ_URL: { kind: "composed", template: "amqp://chat:${RABBITMQ_PASSWORD}@rabbitmq:5672/" },
    OPENAI_API_KEY: { kind: "supplied" },
    STRIPE_SECRET_KEY: { kind: "supplied" },
    STRIPE_WEBHOOK_SECRET: { kind: "supplied" },
    SMTP_URL: { kind: "supplied" },
  },

  edge: {
    network: "frontend",
    // Its document asks for a limit on each endpoint, the tightest on logins, and names no figures.
    limits: {
      auth: { rate: "1 r/s", burst: 10 },
      chat: { rate: "20 r/s", burst: 40 },
      api: { rate: "10 r/s", burst: 20 },
    },
    sites: [
      {
        host: "${domain}",
        security: apiPolicy,
        routes: [
          { path: "/api/auth", service: "auth-service", limit: "auth" },
          { path: "/api/chat", service: "chat-service", limit: "chat", bodySize: "10 MB" },
          { path: "/api/billing", service: "billing-service", limit: "api" },
          { path: "/api/analytics", service: "analytics-service", limit: "api" },
          { path: "/api/orchestrator", service: "orchestrator-service", limit: "api", timeout: "2 minutes" },
          { path: "/ws", service: "chat-service", websocket: true },
        ],
      },
      {
        host: "gateway.${domain}",
        security: apiPolicy,
        routes: [{ path: "/", service: "kong", limit: "api" }],
      },
      forOperators("grafana.${domain}", "grafana"),
      forOperators("prometheus.${domain}", "prometheus"),
      forOperators("jaeger.${domain}", "jaeger"),
    ],
  },
});
