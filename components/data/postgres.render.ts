import type { PostgresStore } from "../config/store.ts";
import { secretPath } from "./server.ts";
import { renderStart } from "./start.render.ts";

/* Names in here are lower-case letters, digits and underscores: nothing else passes the configuration. */

type Database = PostgresStore["databases"][string];

const hbaFile = "/run/postgresql/pg_hba.conf";

/** Starts PostgreSQL and gives it its roles, databases and extensions. */
export function renderPostgresStart(store: PostgresStore): string {
  return renderStart({
    server: "postgres",
    before: `
# The image wants a password for its superuser when it makes the data directory. Nobody is to know it, and it is taken
# away below: the superuser exists for this container's own socket only.
POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \\n')
export POSTGRES_PASSWORD
cat >${hbaFile} <<'END'
${renderHba(store)}END`,
    // Over TCP: while the image makes the data directory, a server for that alone listens on the socket.
    answers: "pg_isready --quiet --host 127.0.0.1 --username nobody",
    prepare: `  psql --no-psqlrc --quiet --username postgres --dbname postgres --output /dev/null \\
    --set ON_ERROR_STOP=1 --set VERBOSITY=terse <<'END'
${renderSql(store)}END`,
    run: `docker-entrypoint.sh postgres -c hba_file=${hbaFile} -c "listen_addresses=*"`,
  });
}

/** Who may log in from where. @see https://www.postgresql.org/docs/current/auth-pg-hba-conf.html */
export function renderHba({ tls }: Pick<PostgresStore, "tls">): string {
  const how = tls?.clientCaSecret === undefined ? "scram-sha-256" : "scram-sha-256 clientcert=verify-ca";
  return `local all postgres trust
host all postgres all reject
${tls ? "hostssl" : "host"} all all all ${how}
`;
}

/**
 * What makes a server the one that the system describes, whatever it was before. Passwords are read by psql from their
 * files and are kept out of the server's log and statistics. Databases and roles that are no longer named are kept; the
 * roles cannot log in any more.
 */
export function renderSql({ roles, databases }: Pick<PostgresStore, "roles" | "databases">): string {
  return `SET log_statement = none;
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
SET pg_stat_statements.track_utility = off;
${Object.entries(roles).map(roleSql).join("")}SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
  FROM pg_roles JOIN pg_shdescription d ON d.objoid = pg_roles.oid AND d.classoid = 'pg_authid'::regclass
  WHERE d.description = 'berth' AND rolname NOT IN (${["", ...Object.keys(roles)].map((role) => `'${role}'`).join(", ")}) \\gexec
ALTER ROLE postgres PASSWORD NULL;
${Object.entries(databases)
  .map(([name, database]) => databaseSql(name, database, Object.keys(roles)))
  .join("")}`;
}

function roleSql([role, { passwordSecret, connectionLimit }]: [string, PostgresStore["roles"][string]]): string {
  return `
SELECT 'CREATE ROLE "${role}"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') \\gexec
\\set password \`cat ${secretPath(passwordSecret)}\`
ALTER ROLE "${role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT ${connectionLimit ?? -1} PASSWORD :'password';
COMMENT ON ROLE "${role}" IS 'berth';
`;
}

function databaseSql(name: string, { owner, access, extensions }: Database, roles: readonly string[]): string {
  const others = roles.filter((role) => role !== owner);
  return `
SELECT 'CREATE DATABASE "${name}" OWNER "${owner}"'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${name}') \\gexec
ALTER DATABASE "${name}" OWNER TO "${owner}";
REVOKE ALL ON DATABASE "${name}" FROM PUBLIC;
\\connect "${name}"
BEGIN;
${extensions.map((extension) => `CREATE EXTENSION IF NOT EXISTS "${extension}";\n`).join("")}REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO "${owner}";
${others.map((role) => accessSql(name, owner, role, access[role])).join("")}COMMIT;
`;
}

const rights = {
  read: { tables: "SELECT", sequences: "SELECT" },
  write: { tables: "SELECT, INSERT, UPDATE, DELETE", sequences: "SELECT, USAGE" },
};

/** Everything is taken and what is due is given, in one transaction: rights that were withdrawn are gone. */
function accessSql(database: string, owner: string, role: string, access: keyof typeof rights | undefined): string {
  const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE "${owner}" IN SCHEMA public`;
  const taken = `REVOKE ALL ON DATABASE "${database}" FROM "${role}";
REVOKE ALL ON SCHEMA public FROM "${role}";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "${role}";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "${role}";
${defaults} REVOKE ALL ON TABLES FROM "${role}";
${defaults} REVOKE ALL ON SEQUENCES FROM "${role}";
`;
  if (access === undefined) return taken;
  const { tables, sequences } = rights[access];
  return `${taken}GRANT CONNECT ON DATABASE "${database}" TO "${role}";
GRANT USAGE ON SCHEMA public TO "${role}";
GRANT ${tables} ON ALL TABLES IN SCHEMA public TO "${role}";
GRANT ${sequences} ON ALL SEQUENCES IN SCHEMA public TO "${role}";
${defaults} GRANT ${tables} ON TABLES TO "${role}";
${defaults} GRANT ${sequences} ON SEQUENCES TO "${role}";
`;
}
