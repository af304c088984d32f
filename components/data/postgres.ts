import type { PostgresStore } from "../config/store.ts";
import { bytes, type Size } from "../shared/size.ts";
import type { StoreServer } from "./store.ts";

const dataDirectory = "/var/lib/postgresql/data";

/**
 * PostgreSQL as a workload. Initialised once with the role and the database; the password is read from its file.
 *
 * @see https://www.postgresql.org/docs/current/runtime-config.html
 */
export function postgresServer(store: PostgresStore): StoreServer {
  return {
    args: Object.entries(tuning(store)).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    env: {
      POSTGRES_USER: store.user,
      POSTGRES_DB: store.database,
      POSTGRES_PASSWORD_FILE: `/run/secrets/${store.passwordSecret}`,
      PGDATA: dataDirectory,
    },
    dataDirectory,
    tmpfs: { "/tmp": "64 MB", "/run/postgresql": "1 MB", "/dev/shm": sharedMemory(store.resources.memory) },
    health: ["CMD", "pg_isready", "--quiet", "--username", store.user, "--dbname", store.database],
    // Fast shutdown: ends sessions and writes a checkpoint. SIGTERM would wait for clients to leave.
    stopSignal: "SIGINT",
    stopGracePeriod: "60 seconds",
  };
}

/** Settings that follow from the memory limit, by PostgreSQL's own advice. */
function tuning(store: PostgresStore): Record<string, string> {
  const megabytes = bytes(store.resources.memory) / 1024 ** 2;
  return {
    max_connections: String(store.maxConnections),
    shared_buffers: `${Math.floor(megabytes / 4)}MB`,
    effective_cache_size: `${Math.floor((megabytes * 3) / 4)}MB`,
    maintenance_work_mem: `${Math.max(16, Math.floor(megabytes / 32))}MB`,
  };
}

/** Parallel queries use /dev/shm; Docker's 64 MB are too little for a large server. */
function sharedMemory(memory: Size): Size {
  return `${Math.max(64, Math.floor(bytes(memory) / 1024 ** 2 / 4))} MB`;
}
