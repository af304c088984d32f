import { defineSystem } from "../../components/config/system.ts";

/**
 * A demonstration of the CAP theorem: one application twice, once preferring consistency (CP) and once availability
 * (AP), before two Redis servers. What its images must bring along stands in README.md beside this file.
 */

/** Read by both modes; a stack sets its own figures under `berth:services.<name>.env`. */
const settings = {
  // Set it by the latency between the application and Redis.
  NETWORK_TIMEOUT_SEC: "2",
  // Alerts on stale data read the same figure.
  MAX_STALENESS_MS: "5000",
  LOG_LEVEL: "WARNING",
};

/** What both modes share; they differ in image, port and mode. */
const application = {
  kind: "web",
  replicas: 3,
  secrets: ["SECRET_KEY", "DB_G1_URL", "DB_G2_URL"],
  networks: ["edge", "cap"],
  resources: { memory: "1 GB", cpus: 1, reserveMemory: "512 MB", reserveCpus: 0.5 },
  health: { path: "/health", startInterval: "1 second" },
  // A visitor reads what he wrote: his session's cookie and that of the edge stay together.
  balance: "cookie",
} as const;

/** Data with the append-only file on a volume, nothing evicted. */
const redis = {
  kind: "redis",
  image: "redis",
  networks: ["cap"],
  resources: { memory: "512 MB", cpus: 1 },
  maxmemory: "384 MB",
  maxclients: 10_000,
} as const;

const password = { kind: "generated", length: 64, characters: "hex" } as const;

const security = { csp: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] } };

/** The virtual host of one mode. What tells about the application's inside is for operators. */
function site(host: string, service: string) {
  return {
    host,
    security,
    routes: [
      { path: "/", service, limit: "visitors" },
      { path: "/health", service, accessLog: false },
      { path: "/metrics", service, access: "operators" as const },
      { path: "/circuit-breaker", service, access: "operators" as const },
    ],
  };
}

export default defineSystem({
  name: "cap-demo",

  networks: { edge: {}, cap: { internal: true } },

  services: {
    "app-cp": {
      ...application,
      image: "app-cp",
      port: 5001,
      env: { ...settings, MODE: "CP" },
      dependsOn: ["db-g1", "db-g2"],
    },
    // After the other mode: one of the two keeps serving while the other is replaced.
    "app-ap": {
      ...application,
      image: "app-ap",
      port: 5002,
      env: { ...settings, MODE: "AP" },
      dependsOn: ["app-cp", "db-g1", "db-g2"],
    },
  },

  data: {
    "db-g1": { ...redis, passwordSecret: "DB_G1_PASSWORD" },
    "db-g2": { ...redis, passwordSecret: "DB_G2_PASSWORD" },
  },

  secrets: {
    SECRET_KEY: { kind: "generated", length: 64, characters: "hex" },
    DB_G1_PASSWORD: password,
    DB_G2_PASSWORD: password,
    DB_G1_URL: { kind: "composed", template: "redis://:${DB_G1_PASSWORD}@db-g1:6379/0" },
    DB_G2_URL: { kind: "composed", template: "redis://:${DB_G2_PASSWORD}@db-g2:6379/0" },
  },

  edge: {
    // The application counts 100 a minute and 1000 an hour by itself; the edge only stops what is far above.
    limits: { visitors: { rate: "100 r/m", burst: 100 } },
    sites: [site("cp.${domain}", "app-cp"), site("ap.${domain}", "app-ap")],
  },
});
