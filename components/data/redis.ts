import { createHash } from "node:crypto";
import type { RedisStore } from "../config/store.ts";
import { bytes } from "../shared/size.ts";
import { passwordsOf, secretPath, valueOf, type StoreServer } from "./server.ts";

/**
 * Redis as a workload: any image with `redis-server` and `redis-cli` on its PATH, the official one among them. The
 * append-only file is synchronised every second, so a crash loses at most that.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
export function redisServer(store: RedisStore): StoreServer {
  const passwords = [...new Set([store.passwordSecret, ...passwordsOf(store.users)])];
  const options = {
    dir: "/data",
    bind: "* -::*",
    aclfile: secretPath("users.acl"),
    appendonly: store.appendonly ? "yes" : "no",
    appendfsync: "everysec",
    maxmemory: String(bytes(store.maxmemory)),
    "maxmemory-policy": store.maxmemoryPolicy,
    maxclients: String(store.maxclients),
    // Without the append-only file nothing is to be kept: a snapshot would bring an old cache back.
    ...(!store.appendonly && { save: "" }),
  };
  return {
    entrypoint: ["redis-server"],
    args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    env: {},
    secrets: [store.passwordSecret],
    files: [{ name: "users.acl", from: passwords, render: (values) => renderAcl(store, values) }],
    dataDirectory: "/data",
    tmpfs: { "/tmp": "16 MB" },
    // The password goes through the environment of the client alone: an argument would show in process lists.
    health: ["CMD-SHELL", `REDISCLI_AUTH="$(cat ${secretPath(store.passwordSecret)})" redis-cli ping | grep -q PONG`],
    stopSignal: "SIGTERM",
    stopGracePeriod: "30 seconds",
  };
}

/**
 * Users with hashes of their passwords; who is not in it cannot log in.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
 */
export function renderAcl(
  { passwordSecret, users }: Pick<RedisStore, "passwordSecret" | "users">,
  passwords: Readonly<Record<string, string>>,
): string {
  const hash = (secret: string): string => `#${createHash("sha256").update(valueOf(passwords, secret)).digest("hex")}`;
  const all = Object.entries(users).map(([name, user]) => {
    const rules = [...user.keys.map((key) => `~${key}`), ...user.channels.map((channel) => `&${channel}`)];
    return `user ${name} on ${hash(user.passwordSecret)} resetchannels ${[...rules, ...user.commands].join(" ")}\n`;
  });
  return `user default on ${hash(passwordSecret)} ~* &* +@all\n${all.join("")}`;
}
