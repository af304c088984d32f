import { defineSystem } from "../../components/config/system.ts";

/**
 * A CRM for trainers and their clients, behind Cloudflare: a Flask backend, a static frontend, Postgres behind
 * PgBouncer, one Redis for sessions and one for caches. What its images must bring along stands in README.md.
 */

const settings = {
  FLASK_ENV: "production",
  LOG_LEVEL: "INFO",
  LOG_FORMAT: "json",
  // Only the site itself may call the API from a browser.
  CORS_ORIGINS: "https://${domain}",
  SESSION_COOKIE_SECURE: "true",
  SESSION_COOKIE_HTTPONLY: "true",
  SESSION_COOKIE_SAMESITE: "Lax",
};

// Errors in the browser go to Sentry.
const sitePolicy = {
  "default-src": ["'self'"],
  "script-src": ["'self'"],
  "style-src": ["'self'", "'unsafe-inline'"],
  "img-src": ["'self'", "data:", "blob:"],
  "connect-src": ["'self'", "https://*.sentry.io"],
  "worker-src": ["'self'"],
  "object-src": ["'none'"],
  "base-uri": ["'self'"],
  "form-action": ["'self'"],
  "frame-ancestors": ["'none'"],
};

export default defineSystem({
  name: "fitness-crm",

  networks: { edge: {}, data: { internal: true } },

  services: {
    migrate: {
      kind: "job",
      image: "backend",
      command: ["berth-app", "migrate"],
      env: { DATABASE_URL_FILE: "/run/secrets/MIGRATION_DATABASE_URL" },
      secrets: ["MIGRATION_DATABASE_URL"],
      networks: ["data"],
      resources: { memory: "256 MB" },
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    backend: {
      kind: "web",
      image: "backend",
      port: 5000,
      replicas: 2,
      env: { ...settings, DATABASE_POOL_SIZE: "10", DATABASE_MAX_OVERFLOW: "10" },
      secrets: ["DATABASE_URL", "SESSION_REDIS_URL", "CACHE_REDIS_URL", "SECRET_KEY", "JWT_SECRET_KEY", "SENTRY_DSN"],
      networks: ["edge", "data"],
      resources: { memory: "512 MB", cpus: 1, reserveMemory: "256 MB", reserveCpus: 0.25 },
      health: { path: "/api/health", startInterval: "1 second" },
      dependsOn: ["migrate", "postgres", "sessions", "cache"],
      // One process with its pool and overflow.
      connections: { "postgres-pooler": 20 },
    },
    frontend: {
      kind: "web",
      image: "frontend",
      port: 8080,
      replicas: 2,
      networks: ["edge"],
      resources: { memory: "128 MB", cpus: 0.5 },
      health: { path: "/health", startInterval: "1 second" },
    },
  },

  data: {
    postgres: {
      kind: "postgres",
      image: "postgres",
      networks: ["data"],
      resources: { memory: "2 GB", cpus: 2 },
      roles: {
        fitness_owner: { passwordSecret: "MIGRATION_DATABASE_PASSWORD" },
        fitness: { passwordSecret: "DATABASE_PASSWORD" },
      },
      databases: {
        fitness: { owner: "fitness_owner", access: { fitness: "write" }, extensions: ["pg_stat_statements"] },
      },
      maxConnections: 100,
      // Queries that take longer than their goal of 50 ms are logged.
      settings: { log_min_duration_statement: "50" },
      pooler: { resources: { memory: "128 MB" }, poolSize: 40, maxClientConnections: 500 },
    },
    sessions: {
      kind: "redis",
      image: "redis",
      networks: ["data"],
      resources: { memory: "256 MB", cpus: 0.5 },
      passwordSecret: "SESSION_REDIS_PASSWORD",
      maxmemory: "192 MB",
    },
    // Responses, queries and counters of limits: they may be lost.
    cache: {
      kind: "redis",
      image: "redis",
      networks: ["data"],
      resources: { memory: "256 MB", cpus: 0.5 },
      passwordSecret: "CACHE_REDIS_PASSWORD",
      appendonly: false,
      maxmemory: "192 MB",
      maxmemoryPolicy: "allkeys-lru",
    },
  },

  secrets: {
    SECRET_KEY: { kind: "generated" },
    JWT_SECRET_KEY: { kind: "generated" },
    MIGRATION_DATABASE_PASSWORD: { kind: "generated", length: 32 },
    DATABASE_PASSWORD: { kind: "generated", length: 32 },
    SESSION_REDIS_PASSWORD: { kind: "generated", length: 32 },
    CACHE_REDIS_PASSWORD: { kind: "generated", length: 32 },
    MIGRATION_DATABASE_URL: {
      kind: "composed",
      template: "postgresql://fitness_owner:${MIGRATION_DATABASE_PASSWORD}@postgres:5432/fitness",
    },
    DATABASE_URL: {
      kind: "composed",
      template: "postgresql://fitness:${DATABASE_PASSWORD}@postgres-pooler:6432/fitness",
    },
    SESSION_REDIS_URL: { kind: "composed", template: "redis://:${SESSION_REDIS_PASSWORD}@sessions:6379/0" },
    CACHE_REDIS_URL: { kind: "composed", template: "redis://:${CACHE_REDIS_PASSWORD}@cache:6379/0" },
    SENTRY_DSN: { kind: "supplied", optional: true },
  },

  edge: {
    limits: {
      api: { rate: "20 r/s", burst: 40 },
      login: { rate: "10 r/m", burst: 5 },
    },
    sites: [
      {
        host: "${domain}",
        security: { csp: sitePolicy },
        cors: { origins: ["https://${domain}"], credentials: true },
        routes: [
          // Pages and the service worker are asked for anew; what they name has its content's digest in its own name.
          { path: "/", service: "frontend", cache: "revalidate" },
          { path: "/assets", service: "frontend", cache: "hashed" },
          { path: "/api", service: "backend", limit: "api", bodySize: "10 MB" },
          { path: "/api/auth", service: "backend", limit: "login" },
          { path: "/api/admin", service: "backend", limit: "api", access: "operators" },
          { path: "/api/health", service: "backend", accessLog: false },
        ],
      },
    ],
  },
});
