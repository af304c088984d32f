import type { PostgresStore } from "../config/store.ts";
import { bytes, type Size } from "../shared/size.ts";
import { renderPostgresStart } from "./postgres.render.ts";
import { passwordsOf, secretPath, type StoreServer } from "./server.ts";
import { preparedFile } from "./start.render.ts";

const dataDirectory = "/var/lib/postgresql/data";

/**
 * PostgreSQL as a workload, by the contract of the official image: `docker-entrypoint.sh postgres`, POSTGRES_USER,
 * POSTGRES_PASSWORD, PGDATA.
 *
 * @see https://hub.docker.com/_/postgres
 */
export function postgresServer(store: PostgresStore): StoreServer {
  const { tls } = store;
  const settings = { ...tuning(store), ...preloaded(store), ...encryption(store), ...store.settings };
  return {
    entrypoint: ["sh", "-c", renderPostgresStart(store), "postgres"],
    args: Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    env: { POSTGRES_USER: "postgres", PGDATA: dataDirectory },
    secrets: [
      ...passwordsOf(store.roles),
      ...[tls?.certificateSecret, tls?.keySecret, tls?.clientCaSecret].filter((name) => name !== undefined),
    ],
    files: [],
    dataDirectory,
    tmpfs: { "/tmp": "64 MB", "/run/postgresql": "1 MB", "/dev/shm": sharedMemory(store.resources.memory) },
    health: ["CMD-SHELL", `test -e ${preparedFile} && pg_isready --quiet --username postgres`],
    // Fast shutdown: ends sessions and writes a checkpoint. SIGTERM would wait for clients to leave.
    stopSignal: "SIGINT",
    stopGracePeriod: "60 seconds",
  };
}

/**
 * Settings that follow from the memory limit, by PostgreSQL's own advice, and from disks without moving parts.
 *
 * @see https://www.postgresql.org/docs/current/runtime-config-resource.html
 */
function tuning(store: PostgresStore): Record<string, string> {
  const megabytes = bytes(store.resources.memory) / 1024 ** 2;
  return {
    max_connections: String(store.maxConnections),
    shared_buffers: `${Math.floor(megabytes / 4)}MB`,
    effective_cache_size: `${Math.floor((megabytes * 3) / 4)}MB`,
    maintenance_work_mem: `${Math.max(16, Math.floor(megabytes / 32))}MB`,
    // A quarter of the memory, if every session sorts at once.
    work_mem: `${Math.max(4096, Math.floor((megabytes * 1024) / 4 / store.maxConnections))}kB`,
    random_page_cost: "1.1",
    effective_io_concurrency: "200",
    password_encryption: "scram-sha-256",
  };
}

/** Extensions that work only if the server loads their library at its start. */
const needPreloading = ["pg_stat_statements", "pg_cron", "pgaudit", "timescaledb"];

function preloaded(store: PostgresStore): Record<string, string> {
  const wanted = new Set(Object.values(store.databases).flatMap(({ extensions }) => extensions));
  const libraries = needPreloading.filter((extension) => wanted.has(extension));
  return libraries.length === 0 ? {} : { shared_preload_libraries: libraries.join(",") };
}

function encryption({ tls }: PostgresStore): Record<string, string> {
  if (!tls) return {};
  return {
    ssl: "on",
    ssl_min_protocol_version: "TLSv1.2",
    ssl_cert_file: secretPath(tls.certificateSecret),
    ssl_key_file: secretPath(tls.keySecret),
    ...(tls.clientCaSecret !== undefined && { ssl_ca_file: secretPath(tls.clientCaSecret) }),
  };
}

/** Parallel queries use /dev/shm; Docker's 64 MB are too little for a large server. */
function sharedMemory(memory: Size): Size {
  return `${Math.max(64, Math.floor(bytes(memory) / 1024 ** 2 / 4))} MB`;
}
