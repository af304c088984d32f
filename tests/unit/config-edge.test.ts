import { itRejects, type Refusal } from "../support/refusals.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Sites and routes that nginx or a browser would not take, and what is said about them. */

const statuses = "400, 401, 403, 404, 405, 408, 410, 413, 414, 415, 422, 429, 500, 501, 502, 503, 504";
const suites = ["ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"]
  .flatMap((exchange) =>
    ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map((one) => `${exchange}-${one}`),
  )
  .join(", ");

const refusals: readonly Refusal[] = [
  [
    "routes that lead nowhere",
    {
      "edge.sites": [
        {
          host: "${domain}",
          routes: [
            { path: "/", service: "shop" },
            { path: "/mail", service: "mail" },
            { path: "/migrate", service: "migrate" },
            { path: "/db", service: "db" },
          ],
        },
      ],
    },
    [
      'system.edge.sites[0].routes[0].service: is not a service of the system, got "shop"; use api, or declare it',
      'system.edge.sites[0].routes[1].service: does not answer HTTP, got "mail" (worker); use api',
      'system.edge.sites[0].routes[2].service: does not answer HTTP, got "migrate" (job); use api',
      'system.edge.sites[0].routes[3].service: is not a service of the system, got "db"; use api, or declare it',
    ],
  ],
  [
    "a route to what the edge cannot reach",
    { "services.api.networks": ["data"] },
    [
      'system.edge.sites[0].routes[0].service: is out of the edge\'s reach, got "api"; add "edge" to services.api.networks',
    ],
  ],
  [
    "a path that is routed twice",
    {
      "edge.sites": [
        {
          host: "${domain}",
          routes: [
            { path: "/a", service: "api" },
            { path: "/a/", service: "api" },
          ],
        },
      ],
    },
    ['system.edge.sites[0].routes[1].path: is routed twice on this host, got "/a/"; keep one of the routes'],
  ],
  [
    "hosts that are the same, or none, once the domain is known",
    {
      "edge.sites": ["${domain}", "shop.test", "${Domain}", "api.${domain}"].map((host) => ({
        host,
        routes: [{ path: "/", service: "api" }],
      })),
    },
    [
      'system.edge.sites[1].host: is the host of another site, got "shop.test"; put its routes into one site',
      'system.edge.sites[2].host: is not a host name, got "${Domain}"; write a full name, for example api.${domain}',
    ],
  ],
  [
    "a mistake behind a refused route, at its own place",
    {
      "edge.sites": [
        {
          host: "${domain}",
          routes: [
            { path: "api", service: "api" },
            { path: "/x", service: "api", limit: "fast" },
          ],
        },
      ],
    },
    [
      'system.edge.sites[0].routes[0].path: is not an absolute path, got "api"; start it with /',
      'system.edge.sites[0].routes[1].limit: is not a limit of the system, got "fast"; use slow, or declare it',
    ],
  ],
  [
    "sources that a content policy does not know, and headers said twice",
    {
      "edge.sites": [
        {
          host: "${domain}",
          headers: { "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "*" },
          cors: { origins: ["https://app.test/", "https://app.test"] },
          security: {
            csp: {
              "default-src": ["self"],
              "script-src": ["'none'", "'self'"],
              "img-src": ["a.test b.test", "'nonce-abc'", "data:", "https://*.a.test:443/x"],
              "foo-src": [],
            },
          },
          routes: [{ path: "/", service: "api" }],
        },
      ],
    },
    [
      'system.edge.sites[0].cors.origins[0]: is not an origin, got "https://app.test/"; write scheme and host without a path, https://app.${domain}',
      "system.edge.sites[0].headers.Access-Control-Allow-Origin: is set by `cors`; say it there",
      "system.edge.sites[0].headers.X-Frame-Options: is set by `security.frame`; say it there",
      "system.edge.sites[0].security.csp.default-src[0]: is not a source of a content policy, got \"self\"; write it in single quotes, 'self'",
      'system.edge.sites[0].security.csp.foo-src: is not a directive of a content policy, got "foo-src"; use one of default-src, script-src, script-src-elem, script-src-attr, style-src, style-src-elem, style-src-attr, img-src …',
      'system.edge.sites[0].security.csp.img-src[0]: is not a source of a content policy, got "a.test b.test"; write one source in each item of the list',
      "system.edge.sites[0].security.csp.img-src[1]: is not a source of a content policy, got \"'nonce-abc'\"; a nonce is new with each answer, so only the application can send it",
      "system.edge.sites[0].security.csp.script-src: allows nothing and something, got 'none' beside others; keep one of the two",
    ],
  ],
  [
    "redirects and limits that do nothing, and paths that no request has",
    {
      "edge.limits": { none: { burst: 2 }, slow: { rate: "0.5 r/m" }, open: { connections: 1 } },
      "edge.sites": [
        { host: "${domain}", redirects: [{ path: "/a/", to: "new" }], routes: [{ path: "/a", service: "api" }] },
        { host: "www.${domain}" },
        { host: "x.${domain}", routes: [{ path: "/a%20b", service: "api" }] },
      ],
    },
    [
      "system.edge.limits.none: limits nothing, got neither `rate` nor `connections`; give one of them",
      'system.edge.limits.slow.rate: is not a rate, got "0.5 r/m"; write for example "10 r/s" or "100 r/m", at least "1 r/m"',
      'system.edge.sites[0].redirects[0].path: is routed twice on this host, got "/a/"; keep one of the routes',
      'system.edge.sites[0].redirects[0].to: is not a target, got "new"; write a path, /new, or an address, https://${domain}/new, without a query',
      "system.edge.sites[1]: serves nothing, got no routes and no redirects; add one",
      'system.edge.sites[2].routes[0].path: matches no request, got "/a%20b"; write it decoded, without a query, %, //, /./ or /../',
    ],
  ],
  [
    "an unknown edge network",
    { "edge.network": "front" },
    [
      'system.edge.network: is not a network of the system, got "front"; use edge or data, or declare it',
      'system.edge.sites[0].routes[0].service: is out of the edge\'s reach, got "api"; add "front" to services.api.networks',
    ],
  ],
  [
    "headers that break the line",
    {
      "edge.sites": [
        { host: "${domain}", headers: { "X Y": "a", Z: "a\nb" }, routes: [{ path: "/", service: "api" }] },
      ],
    },
    [
      'system.edge.sites[0].headers.X Y: is not a header name, got "X Y"; use letters, digits and hyphens',
      'system.edge.sites[0].headers.Z: has control characters, got "a\\nb"; write it on one line',
    ],
  ],
  [
    "versions and suites of TLS that are none, or that no certificate fits",
    {
      "edge.tls": { minVersion: "1.1", suites: ["ECDHE-RSA-AES256-GCM-SHA512", "AES128-SHA"], sessionTimeout: "soon" },
    },
    [
      'system.edge.tls.minVersion: is not a version that is safe, got "1.1"; write 1.2, or 1.3 to refuse visitors of before 2018',
      'system.edge.tls.sessionTimeout: is not a duration, got "soon"; write a number above 0, a blank and a unit, for example "30 seconds"',
      'system.edge.tls.suites[0]: is not a suite of TLS 1.2 with forward secrecy and authenticated encryption, got "ECDHE-RSA-AES256-GCM-SHA512"; use some of ' +
        suites,
      'system.edge.tls.suites[1]: is not a suite of TLS 1.2 with forward secrecy and authenticated encryption, got "AES128-SHA"; use some of ' +
        suites,
    ],
  ],
  [
    "suites that the key of a certificate does not fit",
    {
      "edge.tls": { suites: ["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"] },
      "edge.certificates": { main: {} },
    },
    [
      'system.edge.tls.suites: has no suite for the ECDSA key of certificate "main"; add one with ECDHE-ECDSA, or write key: "rsa-4096" under edge.certificates.main',
    ],
  ],
  [
    "error pages for what has none",
    {
      "edge.sites": [
        {
          host: "${domain}",
          errorPages: { "200": { title: "All is well" }, "404": {} },
          routes: [
            {
              path: "/",
              service: "api",
              errorPages: { "444": { title: "Gone" }, "500": { title: "a\nb", format: "xml" } },
            },
          ],
        },
      ],
    },
    [
      `system.edge.sites[0].errorPages.200: is not a status that has a page, got "200"; use one of ${statuses}`,
      "system.edge.sites[0].errorPages.404.title: is missing; add it: Heading of the page",
      `system.edge.sites[0].routes[0].errorPages.444: is not a status that has a page, got "444"; use one of ${statuses}`,
      'system.edge.sites[0].routes[0].errorPages.500.format: is not one of the choices, got "xml"; write html or json',
      'system.edge.sites[0].routes[0].errorPages.500.title: has control characters, got "a\\nb"; write it on one line',
    ],
  ],
];

describe("what is reachable", () => {
  itRejects(refusals, spoilt);
});
