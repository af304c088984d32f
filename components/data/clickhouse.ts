import { createHash } from "node:crypto";
import type { ClickhouseStore } from "../config/store.ts";
import { bytes } from "../shared/size.ts";
import { probe } from "./probe.ts";
import { passwordsOf, secretPath, valueOf, type StoreServer } from "./server.ts";
import { renderStart } from "./start.render.ts";

const dataDirectory = "/var/lib/clickhouse";
const file = { server: "clickhouse.xml", users: "clickhouse-users.xml", client: "clickhouse-client.xml" };

/**
 * ClickHouse as a workload: any image with `clickhouse-server`, `clickhouse-client` and bash, the official one among
 * them. The whole configuration is given, none of the image's is used.
 *
 * @see https://clickhouse.com/docs/operations/configuration-files
 */
export function clickhouseServer(store: ClickhouseStore): StoreServer {
  const [maker = "", { passwordSecret = "" } = {}] = Object.entries(store.users)[0] ?? [];
  return {
    entrypoint: ["sh", "-c", renderClickhouseStart(store.databases), "clickhouse"],
    args: [],
    env: {},
    secrets: [],
    files: [
      { name: file.server, from: [], render: () => renderClickhouse(store) },
      { name: file.users, from: passwordsOf(store.users), render: (values) => renderUsers(store, values) },
      {
        name: file.client,
        from: [passwordSecret],
        render: (values) => renderClient(maker, valueOf(values, passwordSecret)),
      },
    ],
    dataDirectory,
    tmpfs: { "/tmp": "64 MB" },
    // The status in the first line of the answer: 200.
    health: probe({
      port: 8123,
      request: String.raw`GET /ping HTTP/1.0\r\n\r\n`,
      reply: "32 30 30",
      skip: 9,
      prepared: true,
    }),
    stopSignal: "SIGTERM",
    stopGracePeriod: "60 seconds",
  };
}

export function renderClickhouseStart(databases: readonly string[]): string {
  const client = `clickhouse-client --config-file=${secretPath(file.client)}`;
  return renderStart({
    server: "clickhouse",
    answers: `${client} --query "SELECT 1" >/dev/null 2>&1`,
    prepare: databases.map((name) => `  ${client} --query "CREATE DATABASE IF NOT EXISTS ${name}"`).join("\n"),
    run: `clickhouse-server --config-file=${secretPath(file.server)}`,
  });
}

/** Of the memory limit: what a server without other work may take, its caches with it. */
export function renderClickhouse(store: ClickhouseStore): string {
  const memory = bytes(store.resources.memory);
  return `<!-- Managed by berth -->
<clickhouse>
  <logger><level>information</level><console>1</console></logger>
  <listen_host>0.0.0.0</listen_host>
  <http_port>8123</http_port>
  <tcp_port>9000</tcp_port>
  <path>${dataDirectory}/</path>
  <tmp_path>${dataDirectory}/tmp/</tmp_path>
  <user_files_path>${dataDirectory}/user_files/</user_files_path>
  <format_schema_path>${dataDirectory}/format_schemas/</format_schema_path>
  <users_config>${secretPath(file.users)}</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <max_server_memory_usage>${Math.floor(memory * 0.8)}</max_server_memory_usage>
  <mark_cache_size>${Math.floor(memory / 8)}</mark_cache_size>
  <uncompressed_cache_size>${Math.floor(memory / 8)}</uncompressed_cache_size>
  <mlock_executable>false</mlock_executable>
</clickhouse>
`;
}

/**
 * Who may only ask may still change settings of a query, as most drivers do.
 *
 * @see https://clickhouse.com/docs/operations/settings/settings-users
 */
export function renderUsers(store: ClickhouseStore, passwords: Readonly<Record<string, string>>): string {
  const queryMemory = Math.floor(bytes(store.resources.memory) / 2);
  const users = Object.entries(store.users).map(([name, { passwordSecret, databases, readOnly }]) => {
    const hash = createHash("sha256").update(valueOf(passwords, passwordSecret)).digest("hex");
    const allowed = databases?.map((database) => `<database>${database}</database>`).join("");
    return `    <${name}>
      <password_sha256_hex>${hash}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>${readOnly ? "readonly" : "default"}</profile>
      <quota>default</quota>
${allowed === undefined ? "" : `      <allow_databases>${allowed}</allow_databases>\n`}    </${name}>
`;
  });
  return `<!-- Managed by berth -->
<clickhouse>
  <profiles>
    <default><max_memory_usage>${queryMemory}</max_memory_usage></default>
    <readonly><max_memory_usage>${queryMemory}</max_memory_usage><readonly>2</readonly></readonly>
  </profiles>
  <quotas><default></default></quotas>
  <users>
${users.join("")}  </users>
</clickhouse>
`;
}

function renderClient(user: string, password: string): string {
  const text = password.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<config><user>${user}</user><password>${text}</password></config>\n`;
}
