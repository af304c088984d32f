import { isIP } from "node:net";
import type { ManagedStore } from "../config/store.ts";
import { commandLine, quote } from "../shared/shell.ts";

const ports: Readonly<Record<ManagedStore["server"], readonly [plain: number, tls: number]>> = {
  postgres: [5432, 5432],
  redis: [6379, 6379],
  rabbitmq: [5672, 5671],
  mongodb: [27017, 27017],
  clickhouse: [9000, 9440],
};

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where a URL leads: several places where it names several hosts. Its user and password are not looked at. */
export function endpointsOf(server: ManagedStore["server"], tls: boolean, url: string): Endpoint[] {
  const [, scheme = "", authority = ""] = /^([^:/?#]+):\/\/([^/?#]*)/.exec(url) ?? [];
  const usual = { http: 80, https: 443 }[scheme] ?? ports[server][tls ? 1 : 0];
  return authority
    .slice(authority.lastIndexOf("@") + 1)
    .split(",")
    .map((place) => {
      const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(place) ?? [];
      return { host: bracketed ?? plain ?? "", port: port === undefined ? usual : Number(port) };
    });
}

export interface ManagedCheck {
  readonly name: string;
  readonly spec: Pick<ManagedStore, "server" | "tls" | "ca">;
  readonly url: string;
  /** What is deployed; for another one, the check is made again. */
  readonly release: string;
}

/**
 * Asks each host of a managed store, from a machine of the swarm, whether it can be reached and shows a certificate
 * for its name. It logs in nowhere: the URL's password is no part of the script.
 */
export function renderManagedCheck({ name, spec, url, release }: ManagedCheck): string {
  const places = endpointsOf(spec.server, spec.tls, url);
  return `# Managed by berth: store ${name}, for release ${release}
set -eu
fail() {
  echo "${name}: $1" >&2
  exit 1
}
ca=
${spec.ca === undefined ? "" : caFile(spec.ca)}
reach() {
  # The inner shell expands it.
  # shellcheck disable=SC2016
  timeout 10 bash -c 'exec 3<>"/dev/tcp/$1/$2"' reach "$1" "$2" 2>/dev/null ||
    fail "cannot be reached at $1:$2 from $(uname -n); check the URL, and the provider's list of allowed addresses"
}
encrypted() {
  place=$1
  shift
  said=$(timeout 15 openssl s_client -connect "$place" -verify_return_error "$@" \\
    \${ca:+-CAfile "$ca"} </dev/null 2>&1) && return
  fail "shows no valid certificate at $place; $(printf '%s\\n' "$said" | grep -i -m 1 error || echo 'it speaks no TLS')"
}
${places.map(({ host, port }) => lines(host, port, spec)).join("")}echo "reached"
`;
}

function lines(host: string, port: number, { server, tls }: ManagedCheck["spec"]): string {
  const reach = `reach ${quote(host)} ${port}\n`;
  if (!tls) return reach;
  const place = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  const name = isIP(host) === 0 ? ["-servername", host, "-verify_hostname", host] : ["-verify_ip", host];
  const before = server === "postgres" ? ["-starttls", "postgres"] : [];
  return `${reach}encrypted ${commandLine([place, ...name, ...before])}\n`;
}

function caFile(pem: string): string {
  return `ca=$(mktemp)
trap 'rm -f "$ca"' EXIT
cat >"$ca" <<'END'
${pem.trim()}
END`;
}
