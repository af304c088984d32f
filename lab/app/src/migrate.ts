import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { log, secret, settings } from "./settings.ts";

const statements = `
CREATE TABLE IF NOT EXISTS releases (version text NOT NULL, migrated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO releases (version) VALUES (:'version');
`;

/** Brings the schema to this version: small, but against the real database. */
export async function migrate(): Promise<void> {
  const [postgres, clickhouse, mongodb] = ["DATABASE_URL", "CLICKHOUSE_URL", "MONGODB_URL"].map(secret);
  try {
    if (postgres !== undefined) migratePostgres(postgres);
    else if (clickhouse !== undefined) await migrateClickhouse(new URL(clickhouse));
    else if (mongodb !== undefined) await greetMongodb(new URL(mongodb));
    else throw new Error("DATABASE_URL: not set; hand it over as DATABASE_URL_FILE");
  } catch (error) {
    log("migration failed", { error: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
  }
}

/** In one transaction. */
function migratePostgres(given: string): void {
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
  if (result.status !== 0) throw new Error((result.stderr || String(result.error)).trim());
  log("migrated", { database });
}

/** Over HTTP, as one statement per request. */
async function migrateClickhouse(url: URL): Promise<void> {
  const database = url.pathname.slice(1);
  const headers = {
    "X-ClickHouse-User": decodeURIComponent(url.username),
    "X-ClickHouse-Key": decodeURIComponent(url.password),
  };
  for (const statement of [
    "CREATE TABLE IF NOT EXISTS releases (version String, migrated_at DateTime DEFAULT now()) ENGINE = TinyLog",
    `INSERT INTO releases (version) VALUES ('${settings.version}')`,
  ]) {
    const target = `${url.origin}/?database=${encodeURIComponent(database)}`;
    const answer = await fetch(target, { method: "POST", headers, body: statement });
    if (!answer.ok) throw new Error(`clickhouse: answers ${answer.status}: ${(await answer.text()).trim()}`);
  }
  log("migrated", { database });
}

/** No schema to bring anywhere and no client at hand: the server has to say `hello`. */
async function greetMongodb(url: URL): Promise<void> {
  const text = (value: string) => Buffer.from(`${value}\0`);
  const int = (value: number) => Buffer.from(Int32Array.of(value).buffer);
  const field = (type: number, name: string, value: Buffer) => Buffer.concat([Buffer.from([type]), text(name), value]);
  const database = text("admin");
  const fields = [field(0x10, "hello", int(1)), field(0x02, "$db", Buffer.concat([int(database.length), database]))];
  const body = Buffer.concat([...fields, Buffer.from([0])]);
  const document = Buffer.concat([int(body.length + 4), body]);
  // https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/: header, flags, one section of one document.
  const message = Buffer.concat([
    int(document.length + 21),
    int(1),
    int(0),
    int(2013),
    int(0),
    Buffer.from([0]),
    document,
  ]);
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(url.port || 27017), url.hostname, () => socket.write(message));
    socket.setTimeout(10_000, () => socket.destroy(new Error("mongodb: no answer within 10 s")));
    socket.once("error", reject).once("data", () => {
      socket.end();
      resolve();
    });
  });
  log("migrated", { database: url.pathname.slice(1) });
}
