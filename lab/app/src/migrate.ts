import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { log, secret, settings } from "./settings.ts";

const statements = `
CREATE TABLE IF NOT EXISTS releases (version text NOT NULL, migrated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO releases (version) VALUES (:'version');
`;

/** Brings the schema to this version: small, but against the real database, in one transaction. */
export function migrate(): void {
  const given = secret("DATABASE_URL");
  if (given === undefined) {
    log("migration failed", { error: "DATABASE_URL: not set; hand it over as DATABASE_URL_FILE" });
    process.exitCode = 1;
    return;
  }
  // Python's drivers put their own name behind the protocol: postgresql+asyncpg://…
  const url = new URL(given.replace(/^\w+(\+\w+)?:/, "postgresql:"));
  const host = url.hostname;
  const port = url.port || "5432";
  const user = decodeURIComponent(url.username);
  const database = url.pathname.slice(1);
  // An argument or a variable would show the password in process lists.
  const passfile = "/tmp/pgpass";
  const escape = (field: string) => decodeURIComponent(field).replace(/[\\:]/g, "\\$&");
  writeFileSync(passfile, `${host}:${port}:${database}:${user}:${escape(url.password)}\n`, { mode: 0o600 });
  const result = spawnSync(
    "psql",
    ["--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-v", `version=${settings.version}`],
    {
      input: statements,
      encoding: "utf8",
      env: {
        ...process.env,
        PGHOST: host,
        PGPORT: port,
        PGUSER: user,
        PGDATABASE: database,
        PGPASSFILE: passfile,
        PGCONNECT_TIMEOUT: "10",
      },
    },
  );
  if (result.status === 0) {
    log("migrated", { database });
    return;
  }
  log("migration failed", { error: (result.stderr || String(result.error)).trim() });
  process.exitCode = 1;
}
