import type { MongodbStore } from "../config/store.ts";
import { bytes } from "../shared/size.ts";
import { probe } from "./probe.ts";
import { secretPath, type StoreServer } from "./server.ts";

/**
 * MongoDB as a workload, by the contract of the official image: MONGO_INITDB_ROOT_USERNAME and
 * MONGO_INITDB_ROOT_PASSWORD_FILE make the user when the volume is empty, arguments go to `mongod`. With bash.
 *
 * @see https://hub.docker.com/_/mongo
 */
export function mongodbServer(store: MongodbStore): StoreServer {
  return {
    args: ["--wiredTigerCacheSizeGB", cacheSize(bytes(store.resources.memory) / 1024 ** 3)],
    env: {
      HOME: "/data/db",
      MONGO_INITDB_ROOT_USERNAME: store.rootUser,
      MONGO_INITDB_ROOT_PASSWORD_FILE: secretPath(store.passwordSecret),
    },
    secrets: [store.passwordSecret],
    files: [],
    dataDirectory: "/data/db",
    tmpfs: { "/tmp": "64 MB" },
    // `hello`, which needs no login; the answer's header ends with the same operation. Not on the loopback: while the
    // image makes the user, a server for that alone listens there.
    health: probe({ port: 27017, host: "$HOSTNAME", request: hello, skip: 12, reply: "dd 07 00 00" }),
    stopSignal: "SIGTERM",
    stopGracePeriod: "60 seconds",
  };
}

/** Half of what is left beside the first gigabyte, as the server takes it of a whole machine. */
function cacheSize(gigabytes: number): string {
  return Math.max(0.25, (gigabytes - 1) / 2).toFixed(2);
}

/**
 * `{ hello: 1, $db: "admin" }` as one message.
 *
 * @see https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
const hello = [
  String.raw`\64\0\0\0\1\0\0\0\0\0\0\0\335\7\0\0`, // 52 bytes, request 1, OP_MSG
  String.raw`\0\0\0\0\0`, // no flags, one document
  String.raw`\37\0\0\0\20hello\0\1\0\0\0\2$db\0\6\0\0\0admin\0\0`,
].join("");
