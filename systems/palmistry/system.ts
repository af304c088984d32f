import { defineSystem } from "../../components/config/system.ts";

/**
 * Palm readings with a conversation: an API, a Next frontend, a background worker, Redis and Postgres.
 * What its images must bring along stands in README.md beside this file.
 */

/** Read by the API, the worker and the migration job alike. */
const settings = {
  LOG_LEVEL: "INFO",
  CACHE_TTL: "3600",
  JWT_ALGORITHM: "HS256",
  JWT_EXPIRATION: "3600",
  OPENAI_RATE_LIMIT: "100",
  DATABASE_POOL_TIMEOUT: "30",
  REDIS_MAX_CONNECTIONS: "50",
  FILE_STORAGE_ROOT: "/var/lib/palmistry/uploads",
  MAX_FILE_SIZE: "10485760",
};
const secrets = [
  "DATABASE_URL",
  "REDIS_URL",
  "CELERY_BROKER_URL",
  "CELERY_RESULT_BACKEND",
  "OPENAI_API_KEY",
  "SECRET_KEY",
  "JWT_SECRET",
  "SENTRY_DSN",
];
const uploads = { uploads: "/var/lib/palmistry/uploads" };

// A replica takes traffic only after its first good probe, and `up` waits while swarm watches it: both are part of every
// rollout's length.
const health = { path: "/health", startInterval: "250 ms", timeout: "2 seconds", retries: 3 } as const;
const rollout = { monitor: "1 second" } as const;

// 10 MB of file plus the multipart wrapping around it.
const uploadSize = "12 MB";

const headers = { "X-XSS-Protection": "1; mode=block" };
// Next puts its data and styles into the page itself, as elements: attributes with scripts are somebody else's.
const sitePolicy = {
  "default-src": ["'self'"],
  "script-src": ["'self'", "'unsafe-inline'"],
  "script-src-attr": ["'none'"],
  "style-src": ["'self'", "'unsafe-inline'"],
  "img-src": ["'self'", "data:", "blob:"],
  "connect-src": ["'self'", "wss://${domain}", "https://api.${domain}"],
  "object-src": ["'none'"],
  "base-uri": ["'self'"],
  "form-action": ["'self'"],
  "frame-ancestors": ["'none'"],
};
const apiPolicy = { "default-src": ["'none'"], "frame-ancestors": ["'none'"] };

export default defineSystem({
  name: "palmistry",

  networks: { edge: {}, backend: {}, data: { internal: true } },

  services: {
    migrate: {
      kind: "job",
      image: "api",
      command: ["berth-app", "migrate"],
      secrets: ["DATABASE_URL"],
      networks: ["data"],
      resources: { memory: "256 MB" },
      dependsOn: ["postgres"],
      connections: { postgres: 1 },
    },
    api: {
      kind: "web",
      image: "api",
      port: 8000,
      replicas: 3,
      env: { ...settings, DATABASE_POOL_SIZE: "20", DATABASE_MAX_OVERFLOW: "30" },
      secrets,
      networks: ["edge", "backend", "data"],
      resources: { memory: "512 MB" },
      volumes: uploads,
      health,
      rollout,
      dependsOn: ["migrate", "postgres", "redis"],
      // One process: pool and overflow; REDIS_MAX_CONNECTIONS.
      connections: { postgres: 50, redis: 50 },
    },
    frontend: {
      kind: "web",
      image: "frontend",
      port: 3000,
      replicas: 1,
      env: { SITE_URL: "https://${domain}", API_URL: "http://api:8000" },
      networks: ["edge", "backend"],
      resources: { memory: "256 MB" },
      health,
      rollout,
    },
    worker: {
      kind: "worker",
      image: "worker",
      env: { ...settings, DATABASE_POOL_SIZE: "5", DATABASE_MAX_OVERFLOW: "5" },
      secrets,
      networks: ["backend", "data"],
      resources: { memory: "512 MB" },
      volumes: uploads,
      health: { command: ["berth-app", "ping"], startInterval: "2 seconds", timeout: "5 seconds" },
      dependsOn: ["migrate", "postgres", "redis"],
      // Four processes with a pool of their own each.
      connections: { postgres: 40, redis: 200 },
    },
  },

  data: {
    postgres: {
      kind: "postgres",
      image: "postgres",
      roles: { palmistry: { passwordSecret: "POSTGRES_PASSWORD" } },
      databases: { palmistry: { owner: "palmistry" } },
      networks: ["data"],
      resources: { memory: "1 GB", cpus: 2 },
      maxConnections: 500,
    },
    // Sessions and job queues live here, so it must never evict: the cache shares it only while it is small.
    redis: {
      kind: "redis",
      image: "redis",
      passwordSecret: "REDIS_PASSWORD",
      networks: ["data"],
      resources: { memory: "512 MB" },
      maxmemory: "384 MB",
      maxmemoryPolicy: "noeviction",
      maxclients: 2000,
    },
  },

  secrets: {
    SECRET_KEY: { kind: "generated" },
    JWT_SECRET: { kind: "generated" },
    POSTGRES_PASSWORD: { kind: "generated", length: 32 },
    REDIS_PASSWORD: { kind: "generated", length: 32 },
    DATABASE_URL: {
      kind: "composed",
      template: "postgresql+asyncpg://palmistry:${POSTGRES_PASSWORD}@postgres:5432/palmistry",
    },
    REDIS_URL: { kind: "composed", template: "redis://:${REDIS_PASSWORD}@redis:6379/0" },
    CELERY_BROKER_URL: { kind: "composed", template: "redis://:${REDIS_PASSWORD}@redis:6379/1" },
    CELERY_RESULT_BACKEND: { kind: "composed", template: "redis://:${REDIS_PASSWORD}@redis:6379/2" },
    OPENAI_API_KEY: { kind: "supplied" },
    SENTRY_DSN: { kind: "supplied", optional: true },
  },

  edge: {
    limits: { api: { rate: "10 r/s", burst: 20 } },
    sites: [
      {
        host: "${domain}",
        security: { csp: sitePolicy },
        headers,
        routes: [
          { path: "/api/", service: "api", limit: "api", bodySize: uploadSize },
          { path: "/api/ws", service: "api", websocket: true },
          { path: "/api/health", service: "api", accessLog: false },
          { path: "/", service: "frontend" },
          // Next names these by their content.
          { path: "/_next/static", service: "frontend", cache: "hashed" },
        ],
      },
      {
        host: "api.${domain}",
        security: { csp: apiPolicy },
        headers,
        // The site's own pages, and nobody else's.
        cors: { origins: ["https://${domain}"], credentials: true },
        routes: [
          { path: "/", service: "api", limit: "api", bodySize: uploadSize },
          { path: "/api/ws", service: "api", websocket: true },
          { path: "/health", service: "api", accessLog: false },
        ],
      },
    ],
  },
});
