import type { RedisStore } from "../config/store.ts";
import { bytes } from "../shared/size.ts";
import type { StoreServer } from "./store.ts";

/**
 * Redis as a workload: append-only file synchronised every second, so a crash loses at most that.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
export function redisServer(store: RedisStore): StoreServer {
  const passwordFile = `/run/secrets/${store.passwordSecret}`;
  const options = {
    appendonly: "yes",
    appendfsync: "everysec",
    maxmemory: String(bytes(store.maxmemory)),
    "maxmemory-policy": store.maxmemoryPolicy,
    maxclients: String(store.maxclients),
  };
  return {
    args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    env: { REDIS_PASSWORD_FILE: passwordFile },
    dataDirectory: "/data",
    tmpfs: { "/tmp": "16 MB" },
    // The password goes through the environment of the client alone: an argument would show in process lists.
    health: ["CMD-SHELL", `REDISCLI_AUTH="$(cat ${passwordFile})" redis-cli ping | grep -q PONG`],
    stopSignal: "SIGTERM",
    stopGracePeriod: "30 seconds",
  };
}
