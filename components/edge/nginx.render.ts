import { tls as tlsSchema } from "../config/tls.ts";
import type { Duration } from "../shared/duration.ts";
import { compression } from "./compression.render.ts";
import { block, time } from "./syntax.ts";
import { dhParameters, tlsDirectives } from "./tls.render.ts";

/** A directory of configuration: text by path. */
export type Files = Readonly<Record<string, string>>;

/** Where nginx finds the edge's directory: the same path on the host and in its container. */
export const edgeRoot = "/var/lib/berth/edge";
/** Where metrics are read: by services on the edge's network tier, for the port is not published. */
export const statusPort = 8081;

const managed = "# Managed by berth; changes made here are lost.";

export interface NginxInput {
  /** How long connections outlive a reload or an upgrade. */
  readonly drain: Duration;
  /** Networks of Cloudflare, as far as berth knows; the host may have heard of others since. */
  readonly proxyRanges: readonly string[];
}

/** Whose word about a visitor's address is taken, by servers that include it. The host's script writes it as well. */
function renderRanges(networks: readonly string[]): string {
  return networks.map((network) => `set_real_ip_from ${network};\n`).join("");
}

/**
 * What all systems on a host share: nginx.conf and the sockets it listens on.
 *
 * A generation of nginx starts `warm`: its sites listen on sockets that only it knows, until the names of their
 * upstreams have been resolved. Then it is reloaded as `open`. nginx keeps resolved addresses over a reload, so the
 * first visitor finds them. The same sites serve both: they include their `listen` lines.
 *
 * Beside these files stand `generation.conf` (`$configuration`, a digest of all files), `port.conf` (a port of that
 * generation alone) and `sites/*.conf`; the host's script writes them.
 */
export function renderNginx(input: NginxInput): Files {
  return {
    "nginx.conf": `${[managed, ...main(input.drain)].join("\n")}\n`,
    "ranges.conf": renderRanges(input.proxyRanges),
    "dhparam.pem": dhParameters,
    ...listeners("warm", { http: "unix:/run/nginx/http.sock", https: "unix:/run/nginx/https.sock" }, ""),
    // Each worker has its own socket, which two generations may hold at once; the port is never closed.
    ...listeners("open", { http: "80", https: "443" }, " reuseport backlog=4096"),
  };
}

function listeners(phase: "warm" | "open", at: { http: string; https: string }, options: string): Files {
  const file = (name: string, text: string) => [`listen/${phase}/${name}.conf`, `${text}\n`] as const;
  const status = phase === "open" ? `listen ${statusPort} reuseport;` : "listen unix:/run/nginx/status.sock;";
  return Object.fromEntries([
    file("http", `listen ${at.http};`),
    // nginx takes the options of a socket once, from the server that answers unknown names.
    file("http-default", `listen ${at.http} default_server${options};`),
    file("https", `listen ${at.https} ssl;`),
    file("https-default", `listen ${at.https} ssl default_server${options};`),
    // Which of them is there, the host's script knows: nginx takes the options of this socket once, too.
    file("quic", phase === "open" ? "listen 443 quic;" : "# HTTP/3 has no sockets but those of its port."),
    file("status", status),
    file("phase", `set $phase ${phase};`),
  ]);
}

const modules = ["brotli", "headers_more"];
const connectionsOfWorker = 8192;

function main(drain: Duration): string[] {
  return [
    ...modules.map((name) => `load_module /usr/lib/nginx/modules/ngx_http_${name}_filter_module.so;`),
    "user nginx;",
    "worker_processes auto;",
    "pid /run/nginx/nginx.pid;",
    "error_log stderr warn;",
    "# How long connections outlive a reload or the end of a generation.",
    `worker_shutdown_timeout ${time(drain)};`,
    "",
    "# A request that is passed on has two, and one that waits on a slow disk a file besides.",
    `worker_rlimit_nofile ${4 * connectionsOfWorker};`,
    ...block("events", [`worker_connections ${connectionsOfWorker};`]),
    "",
    ...block("http", [
      "include generation.conf;",
      "include /etc/nginx/mime.types;",
      "server_tokens off;",
      ...buffers,
      "",
      ...connections,
      "",
      ...tls,
      "",
      ...compression,
      "",
      ...log,
      "",
      ...passing,
      "",
      ...limits,
      "",
      ...requests,
      "",
      ...strangers,
      "",
      ...loopback,
      "",
      ...status,
      "",
      "include sites/*.conf;",
    ]),
  ];
}

const buffers = [
  // The image's root is read-only.
  ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((use) => `${use}_temp_path /var/cache/nginx/${use};`),
  "large_client_header_buffers 4 16k;",
  "proxy_buffer_size 16k;",
  "proxy_buffers 8 16k;",
  "proxy_busy_buffers_size 32k;",
];

const connections = [
  "client_header_timeout 15s;",
  "keepalive_timeout 65s;",
  "# A worker that ends lets idle connections run out their time: closing one while the visitor's next request is on",
  "# its way would lose that request.",
  "keepalive_min_timeout 65s;",
];

const defaultTls = tlsSchema.parse({});
const tls = [
  "http2 on;",
  "# What sites say of it holds for them alone; versions are agreed on before a site is known in older clients.",
  ...tlsDirectives(defaultTls),
  "ssl_session_cache shared:tls:10m;",
  "ssl_session_tickets off;",
  "ssl_dhparam dhparam.pem;",
];

// Paths without their query: links and WebSocket addresses carry tokens there.
const fields = {
  time: '"$time_iso8601"',
  requestId: '"$request_name"',
  client: '"$remote_addr"',
  country: '"$country"',
  method: '"$request_method"',
  scheme: '"$scheme"',
  host: '"$host"',
  path: '"$uri"',
  protocol: '"$server_protocol"',
  status: "$status",
  bytes: "$bytes_sent",
  seconds: "$request_time",
  upstream: '"$upstream_addr"',
  upstreamStatus: '"$upstream_status"',
  upstreamConnectSeconds: '"$upstream_connect_time"',
  upstreamHeaderSeconds: '"$upstream_header_time"',
  upstreamSeconds: '"$upstream_response_time"',
  tls: '"$ssl_protocol"',
  clientCertificate: '"$ssl_client_verify"',
  referrer: '"$http_referer"',
  agent: '"$http_user_agent"',
};
const log = [
  "log_format json escape=json",
  ...Object.entries(fields).map(
    ([name, value], index, all) =>
      `    '${index === 0 ? "{" : ""}"${name}":${value}${index === all.length - 1 ? "}';" : ",'"}`,
  ),
  // Docker's side of the pipe costs more than a request does, so lines go there several at a time. As the workers share
  // the pipe, never more at once than it takes whole (PIPE_BUF): of more, a full pipe takes a part, and another worker's
  // lines come in between. What a worker holds it writes within a second, and when it ends or opens its files anew.
  "# What the pipe takes at once, that the lines of two workers do not mix.",
  "access_log /dev/stdout json buffer=4k flush=1s;",
];

const passing = [
  "# The embedded DNS of Docker; a stopped task is forgotten within a second.",
  "resolver 127.0.0.11 valid=1s ipv6=off;",
  "resolver_timeout 5s;",
  "proxy_http_version 1.1;",
  "# The next task is tried when a connection fails, or breaks before an answer. Anything but an idempotent request is",
  "# only repeated if nothing of it was sent. `proxy_next_upstream_timeout`, equal to the route's own timeout, keeps a",
  "# request that was slow on one task from being run a second time on another.",
  "proxy_next_upstream error timeout;",
  ...block("map $http_upgrade $connection_upgrade", ['default "upgrade";', '"" "";']),
];

const limits = [
  "limit_req_status 429;",
  "limit_conn_status 429;",
  "limit_conn_log_level warn;",
  "limit_req_log_level warn;",
  "# Routes say how long; an application that limits by itself says when to come back.",
  ...block('map "$status:$upstream_http_retry_after:$wait" $retry_after', [
    '"~^[0-9]+:(?<own>[A-Za-z0-9:, ]+):[0-9]*$" $own;',
    '"429::" "1";',
    '"~^(429|503)::(?<seconds>[0-9]+)$" $seconds;',
    'default "";',
  ]),
  ...block("geo $dollar", ['default "$";']),
];

const requests = [
  "# What a route or a site does not set is empty.",
  "uninitialized_variable_warn off;",
  "# A request keeps the name it was given on its way here, if that is one.",
  ...block("map $http_x_request_id $request_name", [
    '"~^[A-Za-z0-9_-]{8,64}$" $http_x_request_id;',
    "default $request_id;",
  ]),
  "# What sets a cookie is one visitor's own, and an error may be gone in a moment.",
  ...block('map "$cache:$status:$sent_http_set_cookie" $cache_control', [
    '"~^hashed:(200|206|304):$" "public, max-age=31536000, immutable";',
    '"~^(hashed|revalidate):[0-9]+:.+" "private, no-store";',
    '"~^(hashed|revalidate):" "no-cache";',
    '"~^private:" "private, no-store";',
    "default $upstream_http_cache_control;",
  ]),
];

/** Networks that are nobody's outside. */
const nearby = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];

/** Names that no site has: no answer, and no certificate that would tell whose address this is. */
const strangers = [
  ...block("geo $nearby", ["default 0;", ...nearby.map((network) => `${network} 1;`)]),
  "# The host itself may ask for the edge's health without TLS.",
  ...block("server", [
    "include listen/http.conf;",
    "server_name localhost 127.0.0.1;",
    "access_log off;",
    "default_type text/plain;",
    "if ($nearby = 0) { return 444; }",
    ...block("location = /health", ['return 200 "ok\\n";']),
    ...block("location /", ["return 444;"]),
  ]),
  "",
  ...block("server", ["include listen/http-default.conf;", "server_name _;", "access_log off;", "return 444;"]),
  "",
  ...block("server", [
    "include listen/https-default.conf;",
    "server_name _;",
    "access_log off;",
    "ssl_reject_handshake on;",
    "return 444;",
  ]),
];

const loopback = [
  "# For the host's script; reached from inside the network namespace only.",
  ...block("server", [
    "include port.conf;",
    "include listen/phase.conf;",
    "access_log off;",
    'set $wait "";',
    'set $cache "";',
    'set $country "";',
    'set $visitor "";',
    ...block("location = /berth/ready", ['return 200 "$configuration $phase\\n";']),
    ...block("location ~ ^/berth/upstreams/(?<upstream>[a-z0-9-]+)$", [
      "proxy_method HEAD;",
      "proxy_connect_timeout 1s;",
      "proxy_read_timeout 2s;",
      "proxy_next_upstream_timeout 2s;",
      "rewrite ^ / break;",
      "proxy_pass http://$upstream;",
    ]),
  ]),
];

const gauges = ["active", "reading", "writing", "waiting"].map(
  (state) => `nginx_connections_${state} $connections_${state}\\n`,
);

const status = [
  "# For metrics: as nginx has them, and as Prometheus reads them. The port is not published.",
  ...block("server", [
    "include listen/status.conf;",
    "access_log off;",
    // `return` comes before nginx looks at `allow`.
    "if ($nearby = 0) { return 444; }",
    ...block("location = /berth/status", [
      ...nearby.map((network) => `allow ${network};`),
      "deny all;",
      "stub_status;",
    ]),
    ...block("location = /metrics", ["default_type text/plain;", `return 200 "${gauges.join("")}";`]),
    ...block("location /", ["return 404;"]),
  ]),
];
