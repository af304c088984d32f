import type { Pooler, PostgresStore } from "../config/store.ts";
import { probe } from "./probe.ts";
import { passwordsOf, secretPath, valueOf, type StoreServer } from "./server.ts";

const port = 6432;

/** PgBouncer as a workload: any image with `pgbouncer` on its PATH. Keeps nothing. */
export function pgbouncerServer(store: PostgresStore & { readonly pooler: Pooler }, host: string): StoreServer {
  const { tls } = store;
  return {
    entrypoint: ["pgbouncer", secretPath("pgbouncer.ini")],
    args: [],
    env: {},
    secrets: tls ? [tls.certificateSecret, tls.keySecret] : [],
    files: [
      { name: "pgbouncer.ini", from: [], render: () => renderPgbouncer(store, host) },
      {
        name: "userlist.txt",
        from: passwordsOf(store.roles),
        render: (values) => renderUserlist(store.roles, values),
      },
    ],
    tmpfs: { "/tmp": "1 MB" },
    // Asks for TLS, which is answered with one letter, yes or no, before anybody logs in.
    health: probe({ port, request: String.raw`\0\0\0\10\4\322\26\57`, reply: tls ? "53" : "4e" }),
    // Waits for transactions that are under way.
    stopSignal: "SIGINT",
    stopGracePeriod: "30 seconds",
  };
}

/** @see https://www.pgbouncer.org/config.html */
export function renderPgbouncer(store: PostgresStore & { readonly pooler: Pooler }, host: string): string {
  const { pooler, tls, databases } = store;
  return `; Managed by berth
[databases]
${Object.keys(databases)
  .map((name) => `${name} = host=${host} port=5432 dbname=${name}\n`)
  .join("")}
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${secretPath("userlist.txt")}
pool_mode = ${pooler.mode}
default_pool_size = ${pooler.poolSize}
max_client_conn = ${pooler.maxClientConnections}
; Drivers set it when they connect; the pool's connections have it already.
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
${
  tls
    ? `client_tls_sslmode = require
client_tls_cert_file = ${secretPath(tls.certificateSecret)}
client_tls_key_file = ${secretPath(tls.keySecret)}
server_tls_sslmode = require
`
    : ""
}`;
}

/** Passwords as they are: PgBouncer logs in to the server with them. */
export function renderUserlist(roles: PostgresStore["roles"], passwords: Readonly<Record<string, string>>): string {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  return Object.entries(roles)
    .map(([role, { passwordSecret }]) => `${quoted(role)} ${quoted(valueOf(passwords, passwordSecret))}\n`)
    .join("");
}
