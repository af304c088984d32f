import { createHash } from "node:crypto";
import type { RabbitmqStore } from "../config/store.ts";
import { bytes } from "../shared/size.ts";
import { probe } from "./probe.ts";
import { passwordsOf, secretPath, valueOf, type StoreServer } from "./server.ts";
import { renderStart } from "./start.render.ts";

const dataDirectory = "/var/lib/rabbitmq";

/**
 * RabbitMQ as a workload: any image with `rabbitmq-server`, `rabbitmqctl` and bash, the official one among them.
 *
 * The node is called after localhost, because its data belong to its name and each task has another host name; what
 * nodes tell each other stays inside the container.
 */
export function rabbitmqServer(store: RabbitmqStore): StoreServer {
  return {
    entrypoint: ["sh", "-c", renderRabbitmqStart(Object.keys(store.users)), "rabbitmq"],
    args: [],
    env: {
      HOME: dataDirectory,
      RABBITMQ_NODENAME: "rabbit@localhost",
      RABBITMQ_CONFIG_FILE: secretPath("rabbitmq.conf"),
      RABBITMQ_MNESIA_BASE: `${dataDirectory}/mnesia`,
      RABBITMQ_LOGS: "-",
      // What goes to no console even so, a crash dump and a log of upgrades.
      RABBITMQ_LOG_BASE: "/tmp",
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
      ERL_EPMD_ADDRESS: "127.0.0.1",
    },
    secrets: [],
    files: [
      { name: "rabbitmq.conf", from: [], render: () => renderRabbitmq(store) },
      {
        name: "definitions.json",
        from: passwordsOf(store.users),
        render: (values) => renderDefinitions(store, values),
      },
    ],
    dataDirectory,
    tmpfs: { "/tmp": "64 MB" },
    // The protocol's name and version; the answer is the first frame of a connection.
    health: probe({ port: 5672, request: String.raw`AMQP\0\0\11\1`, reply: "01 00 00", prepared: true }),
    stopSignal: "SIGTERM",
    stopGracePeriod: "60 seconds",
  };
}

/** Definitions only add: who is no longer named is taken away once the server runs, `guest` with them. */
export function renderRabbitmqStart(users: readonly string[]): string {
  return renderStart({
    server: "rabbitmq",
    answers: "rabbitmqctl --quiet await_startup 2>/dev/null",
    prepare: `  wanted=' ${users.join(" ")} '
  users=$(rabbitmqctl --quiet list_users --no-table-headers | cut -f 1)
  for user in $users; do
    case "$wanted" in
      *" $user "*) ;;
      *) rabbitmqctl --quiet delete_user "$user" ;;
    esac
  done`,
    run: "rabbitmq-server",
  });
}

/** @see https://www.rabbitmq.com/docs/configure */
export function renderRabbitmq(store: RabbitmqStore): string {
  return `# Managed by berth
listeners.tcp.default = 5672
load_definitions = ${secretPath("definitions.json")}
log.console = true
log.console.level = info
log.file = false
# Of the container's limit: the server itself would look at the host.
vm_memory_high_watermark.absolute = ${Math.floor(bytes(store.resources.memory) * 0.6)}
disk_free_limit.absolute = ${bytes(store.diskFreeLimit)}
`;
}

/** @see https://www.rabbitmq.com/docs/definitions */
export function renderDefinitions(
  { users, vhosts }: Pick<RabbitmqStore, "users" | "vhosts">,
  passwords: Readonly<Record<string, string>>,
): string {
  const definitions = {
    vhosts: vhosts.map((name) => ({ name })),
    users: Object.entries(users).map(([name, { passwordSecret, administrator }]) => ({
      name,
      password_hash: passwordHash(name, valueOf(passwords, passwordSecret)),
      hashing_algorithm: "rabbit_password_hashing_sha256",
      tags: administrator ? ["administrator"] : [],
    })),
    permissions: Object.entries(users).flatMap(([user, { vhosts: allowed }]) =>
      allowed.map((vhost) => ({ user, vhost, configure: ".*", write: ".*", read: ".*" })),
    ),
  };
  return `${JSON.stringify(definitions, null, 2)}\n`;
}

/** Salted by what it is made of, so that the same password gives the same file at every `up`. */
function passwordHash(user: string, password: string): string {
  const sha256 = (data: string | Buffer): Buffer => createHash("sha256").update(data).digest();
  const salt = sha256(`rabbitmq ${user} ${password}`).subarray(0, 4);
  return Buffer.concat([salt, sha256(Buffer.concat([salt, Buffer.from(password)]))]).toString("base64");
}
