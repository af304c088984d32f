import type { z } from "zod";
import { site } from "../../components/config/system.ts";
import type { SitesInput } from "../../components/edge/site.render.ts";

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
    upstreams: Object.fromEntries(
      Object.entries(ports).map(([name, port]) => [name, { name: `${system}-${name}`, port }]),
    ),
    peers: [],
    trustedProxies: [],
  };
}

const api = { api: 8000 };
const host = "shop.test";

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
  "several-edges": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    peers: ["10.0.0.2", "10.0.0.3"],
  },
  "visitors-behind-a-proxy": {
    ...sites("shop", api, [{ host, routes: [{ path: "/", service: "api" }] }]),
    trustedProxies: ["192.0.2.0/24", "2001:db8::/32"],
  },
};
