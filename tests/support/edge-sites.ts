import type { z } from "zod";
import { site } from "../../components/config/edge.ts";
import { tls } from "../../components/config/tls.ts";
import type { SitesInput, Upstream } from "../../components/edge/site.render.ts";

/** Sites of a system whose services are called `<system>-<name>`, with the defaults of the schema filled in. */
export function sites(
  system: string,
  ports: Readonly<Record<string, number>>,
  list: readonly z.input<typeof site>[],
  limits: SitesInput["limits"] = {},
): SitesInput {
  return {
    system,
    sites: list.map((entry) => site.parse(entry)),
    limits,
    certificates: [{ name: "main", names: list.map((entry) => entry.host) }],
    upstreams: Object.fromEntries(
      Object.entries(ports).map(([name, port]) => [
        name,
        { name: `${system}-${name}`, port, balance: "least-connections" },
      ]),
    ),
    peers: [],
    tls: tls.parse({}),
    http3: false,
    proxied: false,
    operators: [],
  };
}

const api = { api: 8000 };
const host = "shop.test";

/** Each service under a path of its own. */
function balanced(services: Readonly<Record<string, Upstream["balance"]>>): SitesInput {
  const routes = Object.keys(services).map((service) => ({ path: `/${service}`, service }));
  const ports = Object.fromEntries(Object.keys(services).map((service) => [service, 80]));
  const input = sites("shop", ports, [
    { host, routes },
    { host: "none.shop.test", routes: [{ path: "/", service: "turns" }] },
  ]);
  const upstreams = Object.entries(input.upstreams).map(([service, upstream]) => [
    service,
    { ...upstream, balance: services[service] ?? "least-connections" },
  ]);
  return { ...input, upstreams: Object.fromEntries(upstreams) as SitesInput["upstreams"] };
}

/** One case per feature; each is compared with a reviewed file and handed to nginx itself. */
export const siteCases: Readonly<Record<string, SitesInput>> = {
  "plain-routes": sites("shop", { api: 8000, web: 3000, unused: 1 }, [
    {
      host,
      routes: [
        { path: "/api", service: "api" },
        { path: "/", service: "web" },
      ],
    },
  ]),
  "a-stripped-prefix": sites("shop", api, [{ host, routes: [{ path: "/v1/", service: "api", stripPrefix: true }] }]),
  websockets: sites("shop", api, [
    {
      host,
      routes: [
        { path: "/ws", service: "api", websocket: true },
        { path: "/long", service: "api", websocket: true, timeout: "2 hours" },
      ],
    },
  ]),
  "uploads-and-timeouts": sites("shop", api, [
    {
      host,
      routes: [
        { path: "/upload", service: "api", bodySize: "12 MB", timeout: "2 minutes" },
        { path: "/", service: "api", bodySize: "1.5 KB", timeout: "500 ms" },
        { path: "/slow", service: "api", timeout: "50 seconds", connectTimeout: "5 seconds" },
      ],
    },
  ]),
  limits: sites(
    "shop",
    api,
    [
      {
        host,
        routes: [
          { path: "/", service: "api", limit: "api" },
          { path: "/login", service: "api", limit: "login" },
          { path: "/health", service: "api", accessLog: false },
        ],
      },
    ],
    { api: { rate: "10 r/s", burst: 20 }, login: { rate: "5 r/m", burst: 0 } },
  ),
  "headers-of-any-text": sites("shop", api, [
    {
      host,
      headers: {
        "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; report-to \"csp\"",
        "X-Price": "$5 \\ {}",
      },
      routes: [{ path: "/", service: "api" }],
    },
  ]),
  "paths-of-any-text": sites("shop", api, [{ host, routes: [{ path: '/a b{c}"$d;/', service: "api" }] }]),
  "several-hosts": sites("shop", api, [
    { host, routes: [{ path: "/", service: "api" }] },
    { host: "api.shop.test", headers: { "X-Frame-Options": "DENY" }, routes: [{ path: "/", service: "api" }] },
  ]),
  "several-certificates": {
    ...sites("shop", api, [
      { host, routes: [{ path: "/", service: "api" }] },
      { host: "a.shop.test", routes: [{ path: "/", service: "api" }] },
      { host: "b.shop.test", routes: [{ path: "/", service: "api" }] },
    ]),
    certificates: [
      { name: "wild", names: ["*.shop.test"] },
      { name: "main", names: [host, "b.shop.test"] },
    ],
  },
  "several-edges": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    peers: ["10.0.0.2", "10.0.0.3"],
  },
  "visitors-behind-a-proxy": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    proxied: true,
  },
  "client-certificates-seen": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    clientCertificates: { demanded: false, sites: [host], ca: "" },
  },
  "client-certificates-demanded": {
    ...sites("shop", api, [
      { host, routes: [{ path: "/", service: "api" }] },
      { host: "open.shop.test", routes: [{ path: "/", service: "api" }] },
    ]),
    clientCertificates: { demanded: true, sites: [host], ca: "" },
  },
  "visitors-kept-on-one-task": balanced({ app: "cookie", turns: "round-robin" }),
  "routes-for-operators": {
    ...sites("shop", api, [
      {
        host,
        routes: [
          { path: "/", service: "api" },
          { path: "/metrics", service: "api", access: "operators" },
        ],
      },
      { host: "admin.shop.test", routes: [{ path: "/", service: "api", access: "operators" }] },
    ]),
    operators: ["192.0.2.0/24", "2001:db8::1"],
  },
  "routes-for-operators-of-whom-there-are-none": sites("shop", api, [
    { host, routes: [{ path: "/metrics", service: "api", access: "operators" }] },
  ]),
  "assets-and-pages": sites("shop", api, [
    {
      host,
      routes: [
        { path: "/", service: "api", cache: "revalidate" },
        { path: "/assets", service: "api", cache: "hashed" },
        { path: "/account", service: "api", cache: "private" },
        { path: "/events", service: "api", buffering: false },
      ],
    },
  ]),
  redirects: sites("shop", api, [
    {
      host,
      redirects: [
        { path: "/old.d", to: "/new", status: 308 },
        { path: "/gone", to: "https://archive.test/", keep: false, status: 302 },
      ],
      routes: [{ path: "/api", service: "api" }],
    },
    { host: "www.shop.test", redirects: [{ to: "https://shop.test" }] },
  ]),
  "other-origins": sites("shop", api, [
    {
      host,
      cors: { origins: ["https://app.test", "https://shop.test:8443"], credentials: true, age: "1 hour" },
      routes: [{ path: "/", service: "api" }],
    },
  ]),
  "security-headers": sites("shop", api, [
    {
      host,
      security: {
        hstsSeconds: 63_072_000,
        hstsPreload: true,
        frame: "SAMEORIGIN",
        referrer: "no-referrer",
        permissions: { camera: ["self", "https://call.test"], fullscreen: ["*"], usb: [] },
        opener: "none",
        resource: "cross-origin",
        csp: { "default-src": ["'self'", "https://*.shop.test"], "upgrade-insecure-requests": [] },
      },
      routes: [{ path: "/", service: "api" }],
    },
    { host: "bare.shop.test", security: { hstsSeconds: 0, csp: {} }, routes: [{ path: "/", service: "api" }] },
  ]),
  "connection-limits": sites(
    "shop",
    api,
    [
      {
        host,
        routes: [
          { path: "/", service: "api", limit: "few" },
          { path: "/login", service: "api", limit: "both" },
        ],
      },
    ],
    { few: { connections: 10, burst: 0 }, both: { rate: "5 r/m", burst: 2, connections: 2 } },
  ),
  maintenance: maintained(["192.0.2.0/24"]),
  "error-pages": sites("shop", api, [
    {
      host,
      errorPages: {
        "404": { title: 'No "such" page', message: "Costs $5 & <more>" },
        "502": { title: "Away", message: "Back soon" },
      },
      routes: [
        { path: "/", service: "api", interceptErrors: true },
        {
          path: "/v1",
          service: "api",
          errorPages: { "429": { title: "slow down", format: "json" }, "502": { title: "away", format: "json" } },
        },
      ],
    },
    { host: "plain.shop.test", routes: [{ path: "/", service: "api" }] },
  ]),
  "http-3": { ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]), http3: true },
  "versions-and-suites": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    tls: tls.parse({
      suites: ["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"],
      preferServer: true,
      sessionTimeout: "1 hour",
    }),
  },
  "the-newest-version-alone": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    tls: tls.parse({ minVersion: "1.3" }),
  },
};

/** One of two routes waits. */
export function maintained(operators: readonly string[]): SitesInput {
  const input = sites("shop", api, [
    {
      host,
      routes: [
        { path: "/", service: "api" },
        { path: "/pay", service: "api" },
      ],
    },
  ]);
  const told = { retryAfter: "10 minutes", message: 'Back at 5 <b> & "$" later' } as const;
  const waiting = input.sites.map((one) => ({
    ...one,
    routes: one.routes.map((route) => (route.path === "/pay" ? { ...route, maintenance: told } : route)),
  }));
  return { ...input, sites: waiting, operators };
}
