import { certificateOf, type Certificate } from "../config/certificate.ts";
import type { Edge, Redirect, Route, Site } from "../config/edge.ts";
import type { WebService } from "../config/service.ts";
import { milliseconds, type Duration } from "../shared/duration.ts";
import { corsDirectives, corsMaps, securityHeaders } from "./headers.render.ts";
import { edgeRoot } from "./nginx.render.ts";
import { errorDirectives, errorLocations, maintenancePage } from "./pages.render.ts";
import { block, headerName, literal, path, rate, size, time } from "./syntax.ts";
import { tlsDirectives } from "./tls.render.ts";

export interface SitesInput {
  readonly system: string;
  readonly sites: readonly Site[];
  readonly limits: Edge["limits"];
  readonly certificates: readonly Pick<Certificate, "name" | "names">[];
  /** Where each web service answers: its name in the swarm and its port. */
  readonly upstreams: Readonly<Record<string, Upstream>>;
  /** Addresses of the other hosts with an edge: the authority asks whichever of them it likes. */
  readonly peers: readonly string[];
  readonly tls: Edge["tls"];
  /** Visitors are told that they may come by HTTP/3. */
  readonly http3: boolean;
  /** Visitors come through Cloudflare, whose networks are believed about their addresses. */
  readonly proxied: boolean;
  /** Networks whose visitors are answered on routes for operators. */
  readonly operators: readonly string[];
  /** A client certificate that a proxy shows. */
  readonly clientCertificates?: ClientCertificates;
}

export interface ClientCertificates {
  /** Whether who shows none is answered 400, or only noted in the log. */
  readonly demanded: boolean;
  /** Hosts of the sites that ask for it. */
  readonly sites: readonly string[];
  /** CA that signed it, PEM. */
  readonly ca: string;
}

/** Where the sites of a system find the CA of client certificates, seen from nginx's configuration directory. */
export const clientCaPath = (system: string): string => `sites/${system}.client-ca.pem`;

export interface Upstream extends Pick<WebService, "port" | "balance"> {
  readonly name: string;
}

/** Where a site is found by HTTP/3, and for how long browsers remember it. */
const altSvc = 'h3=":443"; ma=86400';

/** WebSockets say nothing for long. */
const websocketTimeout: Duration = "1 hour";

/** All sites of one system as one file for nginx's `http` block. What it names is prefixed with the system. */
export function renderSites(input: SitesInput): string {
  const used = new Set(input.sites.flatMap((site) => site.routes.map((route) => route.service)));
  const lines = [
    `# Managed by berth: the sites of ${input.system}. Changes made here are lost.`,
    ...Object.entries(input.limits).flatMap(([name, limit]) => zones(zone(input, name), limit)),
    ...operatorMap(input),
    ...countryMap(input),
    ...input.sites.flatMap((site, index) => (site.cors ? corsMaps(corsName(input, index), site.cors) : [])),
    ...Object.keys(input.upstreams)
      .filter((service) => used.has(service))
      .flatMap((service) => ["", ...upstream(target(input, service))]),
    "",
    ...toHttps(input),
    ...input.sites.flatMap((site, index) => ["", ...server(site, index, input)]),
  ];
  return `${lines.join("\n")}\n`;
}

function zones(zone: string, limit: Edge["limits"][string]): string[] {
  return [
    ...(limit.rate === undefined
      ? []
      : [`limit_req_zone $binary_remote_addr zone=${zone}:10m rate=${rate(limit.rate)};`]),
    ...(limit.connections === undefined ? [] : [`limit_conn_zone $binary_remote_addr zone=${zone}-connections:10m;`]),
  ];
}

/** Variables of nginx have no hyphens. */
const variable = ({ system }: SitesInput, name: string): string => `${system.replaceAll("-", "_")}_${name}`;
const corsName = (input: SitesInput, site: number): string => variable(input, `cors_${site}`);

/** Operators see what is under maintenance. */
function operatorMap(input: SitesInput): string[] {
  if (!input.sites.some((site) => site.routes.some((route) => route.maintenance))) return [];
  return block(`geo $${variable(input, "waits")}`, [
    "default 1;",
    ...input.operators.map((network) => `${network} 0;`),
  ]);
}

/** Only a proxy that was believed knows the visitor's country: then the visitor's address is not the sender's. */
function countryMap(input: SitesInput): string[] {
  if (!input.proxied) return [];
  return block(`map "$realip_remote_addr $remote_addr" $${variable(input, "country")}`, [
    "default $http_cf_ipcountry;",
    '"~^(.+) \\1$" "";',
  ]);
}

function upstream({ name, port, balance }: Upstream): string[] {
  return block(`upstream ${name}`, [
    `zone ${name} 256k;`,
    ...balancing(name, balance),
    // The address of every running task, asked anew each second. Which of them are well is the swarm's to say, by its
    // health checks: nginx would also pass over a task for answering slowly, and for a second over all of them.
    `server tasks.${name}:${port} resolve max_fails=0;`,
    "keepalive 32;",
    // Shorter than the 5 s after which common servers (uvicorn, Node) close an idle connection: a request that meets
    // their closing would be lost.
    "keepalive_timeout 4s;",
  ]);
}

function balancing(name: string, balance: Upstream["balance"]): string[] {
  const directives: Record<Upstream["balance"], string[]> = {
    "least-connections": ["least_conn;"],
    // What nginx does when it is told nothing.
    "round-robin": [],
    // Its value is a digest of a task's address, so every edge host means the same by it. A hash over visitors would not
    // do: nginx hashes names, and all tasks have one.
    cookie: ["least_conn;", `sticky cookie berth_${name} path=/ secure httponly samesite=lax;`],
  };
  return directives[balance];
}

function toHttps({ system, sites, peers }: SitesInput): string[] {
  const challenge = [`root ${edgeRoot}/webroot;`, "default_type text/plain;"];
  const group = `${system}-edge-peers`;
  const lines = block("server", [
    "include listen/http.conf;",
    `server_name ${sites.map((site) => site.host).join(" ")};`,
    "access_log off;",
    ...block("location ^~ /.well-known/acme-challenge/", [
      ...challenge,
      ...(peers.length > 0 ? ["log_not_found off;", "error_page 404 = @peers;"] : []),
    ]),
    ...(peers.length > 0 ? block("location @peers", askPeers(group)) : []),
    ...block("location /", ["return 301 https://$host$request_uri;"]),
  ]);
  if (peers.length === 0) return lines;
  return [
    ...block(
      `upstream ${group}`,
      peers.map((peer) => `server ${peer}:80 max_fails=0;`),
    ),
    "",
    ...lines,
  ];
}

/** Only the host that asked for a certificate has the answer to its challenge. Whoever is asked does not ask on. */
function askPeers(group: string): string[] {
  return [
    "if ($http_x_berth_peer) { return 404; }",
    "proxy_set_header Host $host;",
    "proxy_set_header X-Berth-Peer 1;",
    "proxy_connect_timeout 2s;",
    "proxy_read_timeout 5s;",
    "proxy_next_upstream error timeout http_404;",
    `proxy_pass http://${group};`,
  ];
}

function server(site: Site, index: number, input: SitesInput): string[] {
  const everything = [...site.routes, ...site.redirects].some((entry) => prefixOf(entry.path) === "");
  const cached = site.routes.some((route) => route.cache !== "application");
  return block("server", [
    "include listen/https.conf;",
    ...(input.http3 ? ["include listen/quic.conf;"] : []),
    `server_name ${site.host};`,
    `ssl_certificate ${certificate(site, input)}/fullchain.pem;`,
    `ssl_certificate_key ${certificate(site, input)}/privkey.pem;`,
    ...clientCertificate(site, input),
    ...tlsDirectives(input.tls),
    ...(input.proxied
      ? [
          "include ranges.conf;",
          "real_ip_header CF-Connecting-IP;",
          `set $country $${variable(input, "country")};`,
          "set $visitor $remote_addr;",
        ]
      : []),
    "",
    ...responseHeaders({
      ...securityHeaders(site.security),
      ...(input.http3 && { "Alt-Svc": altSvc }),
      ...site.headers,
    }),
    ...(cached ? ["add_header Cache-Control $cache_control always;", "proxy_hide_header Cache-Control;"] : []),
    ...(site.cors ? corsDirectives(corsName(input, index)) : []),
    ...proxyHeaders(false),
    ...errorDirectives(site.errorPages, "error"),
    ...site.redirects.flatMap((redirect) => ["", ...redirection(redirect, site.host)]),
    ...site.routes.flatMap((route, r) => ["", ...locations(route, routeErrors(site, route, r), input)]),
    ...errorLocations(site.errorPages, "error"),
    ...site.routes.flatMap((route, r) => errorLocations(route.errorPages ?? {}, `error-${r}`)),
    // Else nginx would look for a file of its own.
    ...(everything ? [] : ["", ...block("location /", ["return 404;"])]),
  ]);
}

/**
 * Who demands it, answers 400 to a request without one, on every path. Who only looks, takes what no CA of the file has
 * signed, so that a wrong CA shows in the log before it shuts anybody out.
 */
function clientCertificate({ host }: Site, { system, clientCertificates }: SitesInput): string[] {
  if (!clientCertificates?.sites.includes(host)) return [];
  return [
    `ssl_client_certificate ${clientCaPath(system)};`,
    `ssl_verify_client ${clientCertificates.demanded ? "on" : "optional_no_ca"};`,
  ];
}

/**
 * Sent with every answer, errors included, and once: what the application says of the same name is left out.
 * No location may have an `add_header` of its own, it would lose all of these.
 */
function responseHeaders(headers: Readonly<Record<string, string>>): string[] {
  const own: [string, string][] = Object.entries(headers).map(([name, value]) => [headerName(name), literal(value)]);
  return [
    ...[...own, ["X-Request-Id", "$request_name"]].map(([name, value]) => `add_header ${name} ${value} always;`),
    "add_header Retry-After $retry_after always;",
    ...[...own.map(([name]) => name), "X-Request-Id", "Retry-After"].map((name) => `proxy_hide_header ${name};`),
  ];
}

/** A location that sets one of them loses those of its server, so both kinds of route get all of them. */
function proxyHeaders(websocket: boolean): string[] {
  return [
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Host $host;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    // What a visitor could have made up: the proxy's word where it was believed, else nothing.
    "proxy_set_header CF-Connecting-IP $visitor;",
    "proxy_set_header CF-IPCountry $country;",
    'proxy_set_header True-Client-IP "";',
    'proxy_set_header Forwarded "";',
    "proxy_set_header X-Request-Id $request_name;",
    ...(websocket
      ? ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;"]
      : ['proxy_set_header Connection "";']),
  ];
}

const prefixOf = (path: string): string => path.replace(/\/+$/, "");

/** With what follows the prefix as the visitor wrote it: nginx's own view of it is decoded, and may hold line ends. */
function redirection({ path: from, to, status, keep }: Redirect, host: string): string[] {
  const prefix = prefixOf(from);
  const target = prefixOf(to.startsWith("/") ? `https://${host}${to}` : to);
  const whole = to.endsWith("/") || target.lastIndexOf("/") < "https://".length ? `${target}/` : target;
  if (!keep) return below(prefix, [`return ${status} ${whole};`]);
  const rest = prefix === "" ? "$request_uri" : "$1$is_args$args";
  const kept = `return ${status} ${target}${rest};`;
  if (prefix === "") return below(prefix, [kept]);
  const written = encodeURI(prefix).replaceAll(/[^A-Za-z0-9/_-]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
  return below(prefix, [
    `if ($request_uri ~ "^${written}(/[^?]*)") { ${kept} }`,
    `return ${status} ${whole}$is_args$args;`,
  ]);
}

function below(prefix: string, body: readonly string[]): string[] {
  const rest = block(`location ${path(`${prefix}/`)}`, body);
  return prefix === "" ? rest : [...block(`location = ${path(prefix)}`, body), ...rest];
}

/** A prefix of whole segments: `/api` is `/api` and what is below `/api/`, not `/apinot`. */
function locations(route: Route, errors: readonly string[], input: SitesInput): string[] {
  return below(prefixOf(route.path), routeBody(route, errors, input));
}

/** A location that has pages of its own loses those of its server, so it names both. */
function routeErrors(site: Site, { errorPages }: Route, index: number): string[] {
  if (errorPages === undefined) return [];
  const others = Object.entries(site.errorPages).filter(([status]) => !(status in errorPages));
  return [...errorDirectives(errorPages, `error-${index}`), ...errorDirectives(Object.fromEntries(others), "error")];
}

function routeBody(route: Route, errors: readonly string[], input: SitesInput): string[] {
  const limit = route.limit === undefined ? undefined : input.limits[route.limit];
  const timeout = time(route.timeout);
  const silence = route.websocket && milliseconds(route.timeout) < milliseconds(websocketTimeout);
  const patience = silence ? time(websocketTimeout) : timeout;
  const { name } = target(input, route.service);
  return [
    ...(route.access === "operators" ? [...input.operators.map((network) => `allow ${network};`), "deny all;"] : []),
    ...(route.maintenance ? maintenancePage(route.maintenance, variable(input, "waits")) : []),
    ...errors,
    ...(route.interceptErrors ? ["proxy_intercept_errors on;"] : []),
    ...(limit && route.limit !== undefined ? limited(zone(input, route.limit), limit) : []),
    ...(route.cache === "application" ? [] : [`set $cache ${route.cache};`]),
    ...(route.buffering ? [] : ["proxy_buffering off;"]),
    ...(route.accessLog ? [] : ["access_log off;"]),
    `client_max_body_size ${size(route.bodySize)};`,
    `proxy_connect_timeout ${time(route.connectTimeout ?? route.timeout)};`,
    `proxy_send_timeout ${patience};`,
    `proxy_read_timeout ${patience};`,
    `proxy_next_upstream_timeout ${timeout};`,
    ...(route.websocket ? proxyHeaders(true) : []),
    // With a path, even `/`, nginx puts it in the place of the location's prefix.
    `proxy_pass http://${name}${route.stripPrefix ? "/" : ""};`,
  ];
}

/** When the next request of the rate is due, a visitor may come back. */
function limited(zone: string, { rate: perUnit, burst, connections }: Edge["limits"][string]): string[] {
  const [count = "1", unit] = perUnit?.split(" r/") ?? [];
  const wait = Math.ceil((unit === "m" ? 60 : 1) / Number(count));
  return [
    ...(perUnit === undefined ? [] : [`limit_req zone=${zone}${burst > 0 ? ` burst=${burst} nodelay` : ""};`]),
    ...(connections === undefined ? [] : [`limit_conn ${zone}-connections ${connections};`]),
    ...(wait > 1 ? [`set $wait ${wait};`] : []),
  ];
}

function target(input: SitesInput, service: string): Upstream {
  const found = input.upstreams[service];
  if (!found) throw new Error(`no web service "${service}" in ${input.system}`);
  return found;
}

function certificate({ host }: Site, { system, certificates }: SitesInput): string {
  const found = certificateOf(certificates, host);
  if (!found) throw new Error(`no certificate for "${host}" in ${system}`);
  return `certificates/${system}/${found.name}`;
}

function zone(input: SitesInput, limit: string): string {
  return `${input.system}-limit-${limit}`;
}
