/**
 * The lab's Cloudflare: API v4 for what berth uses of it over HTTP, and the zones' records over DNS.
 *
 *   node lab/cloudflare/main.ts --zone palmistry.test --zone-id <32 hex digits> --token-file FILE
 *     --http 127.0.0.1:PORT --dns 0.0.0.0:PORT --data FILE
 *
 * `--zone` and `--zone-id` may be repeated, in pairs; `--plan` (free, pro, business, enterprise) holds for all.
 * The account of all zones has the id in store.ts. Clients use `http://<http>/client/v4` as their base URL.
 * Ready when `GET /lab/health` answers 200. Stops on SIGTERM; a restart with the same `--data` keeps the records.
 *
 * In a container: any glibc image with libstdc++6 (every Debian one that has apt); mount the repository and, when the
 * image has no Node 24, the binary `node_modules/node/bin/node`, both read-only; mount one writable directory for
 * `--data` (the file is replaced by renaming, so the directory must be writable, not just the file) and the token file.
 * Run with `--http 0.0.0.0:8080 --dns 0.0.0.0:53`; as root or with NET_BIND_SERVICE for port 53. Publish HTTP on
 * 127.0.0.1 only: whoever reaches it may order failures (`/lab/faults`). It opens no connection of its own.
 */
import { parseArgs } from "node:util";
import { plans } from "./plans.ts";
import { startService } from "./server.ts";

const { values } = parseArgs({
  options: {
    zone: { type: "string", multiple: true },
    plan: { type: "string", default: "business" },
    "zone-id": { type: "string", multiple: true },
    "token-file": { type: "string" },
    http: { type: "string" },
    dns: { type: "string" },
    data: { type: "string" },
  },
});

function need(value: string | undefined, flag: string): string {
  if (value === undefined) throw new Error(`--${flag}: missing`);
  return value;
}

function address(value: string | undefined, flag: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^([^:]+):(\d+)$/.exec(need(value, flag)) ?? [];
  if (host === "") throw new Error(`--${flag}: must be host:port, got "${need(value, flag)}"`);
  return { host, port: Number(port) };
}

const names = values.zone ?? [];
const ids = values["zone-id"] ?? [];
if (names.length === 0 || names.length !== ids.length)
  throw new Error(`--zone, --zone-id: need one of each, got ${names.length} and ${ids.length}`);
for (const id of ids)
  if (!/^[0-9a-f]{32}$/.test(id)) throw new Error(`--zone-id: must be 32 hexadecimal digits, got "${id}"`);

const plan = plans.find((each) => each === values.plan);
if (!plan) throw new Error(`--plan: must be one of ${plans.join(", ")}, got "${values.plan}"`);

const service = await startService({
  zones: names.map((name, index) => ({ name: name.toLowerCase(), id: ids[index] ?? "", plan })),
  tokenFile: need(values["token-file"], "token-file"),
  dataFile: need(values.data, "data"),
  http: address(values.http, "http"),
  dns: address(values.dns, "dns"),
  log: (line) => {
    process.stdout.write(`${line}\n`);
  },
});
process.stdout.write(`ready: http ${service.httpPort}, dns ${service.dnsPort}\n`);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void service.close());
