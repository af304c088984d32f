import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { sampleHostKey } from "../support/sample-config.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Bad systems and what is said about them: nothing less, nothing more. */

const upkeep = {
  kind: "schedule",
  image: "api",
  cron: "30 3 * * sun",
  timeout: "1 hour",
  networks: ["data"],
  resources: { memory: "64 MB" },
};

const statuses = "400, 401, 403, 404, 405, 408, 410, 413, 414, 415, 422, 429, 500, 501, 502, 503, 504";
const suites = ["ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"]
  .flatMap((exchange) =>
    ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map((one) => `${exchange}-${one}`),
  )
  .join(", ");

const cases: [title: string, changes: Record<string, unknown>, problems: string[]][] = [
  [
    "a service without a health check",
    { "services.api.health": undefined },
    ["system.services.api.health: is missing; add it: How a container is asked whether it works: `path` or `command`"],
  ],
  [
    "a health check that asks nothing",
    { "services.api.health": { retries: 5 } },
    ["system.services.api.health: asks nothing, got neither `path` nor `command`; give one of them"],
  ],
  [
    "a health check that asks twice",
    { "services.api.health": { path: "/", command: ["true"] } },
    ['system.services.api.health.path: is given beside `command`, got "/"; keep one of the two'],
  ],
  [
    "an HTTP health check without a port",
    { "services.mail.health": { path: "/" } },
    ['system.services.mail.health.path: needs a port, got "/" on a worker; give `port` too, or `command` instead'],
  ],
  [
    "a health check's port that nothing is asked on",
    { "services.mail.health": { command: ["ping"], port: 80 } },
    ["system.services.mail.health.port: is asked by no `path`, got 80; remove it, or give `path` instead of `command`"],
  ],
  [
    "a service without a memory limit",
    { "services.api.resources": { cpus: 1 } },
    ["system.services.api.resources.memory: is missing; add it: Hard memory limit; a container above it is killed"],
  ],
  [
    "a store without limits",
    { "data.db.resources": undefined },
    ["system.data.db.resources: is missing; add it: Limits and reservations; `memory` is required"],
  ],
  [
    "a limit of nothing",
    { "services.api.resources.memory": "0 MB" },
    [
      'system.services.api.resources.memory: is not a size, got "0 MB"; write a number above 0, a blank and KB, MB or GB, ' +
        'for example "512 MB"',
    ],
  ],
  [
    "a size in another spelling",
    { "data.queue.maxmemory": "96mb" },
    [
      'system.data.queue.maxmemory: is not a size, got "96mb"; write a number above 0, a blank and KB, MB or GB, ' +
        'for example "512 MB"',
    ],
  ],
  [
    "no CPU",
    { "services.api.resources.cpus": 0 },
    ["system.services.api.resources.cpus: is too small, got 0; write more than 0"],
  ],
  [
    "a reservation above its limit",
    { "services.api.resources": { memory: "64 MB", reserveMemory: "65 MB", cpus: 1, reserveCpus: 2 } },
    [
      "system.services.api.resources.reserveCpus: is above the limit, got 2 of 1; write 1 or less",
      'system.services.api.resources.reserveMemory: is above the limit, got "65 MB" of "64 MB"; write "64 MB" or less',
    ],
  ],
  [
    "an unknown key",
    { "services.api.replica": 2 },
    [
      "system.services.api.replica: is not a known key; use kind, port, balance, image, command, env, secrets, networks, resources, " +
        "user, readOnly, dependsOn, connections, secretsAsEnv, replicas, health, rollout, stopGracePeriod, volumes, tmpfs, " +
        "files or capabilities",
    ],
  ],
  [
    "what a job does not have",
    { "services.migrate.health": { path: "/" } },
    [
      "system.services.migrate.health: is not a known key; use kind, timeout, image, command, env, secrets, networks, " +
        "resources, user, readOnly, dependsOn or connections",
    ],
  ],
  [
    "an unknown kind",
    { "services.api.kind": "site" },
    ['system.services.api.kind: is not one of the choices, got "site"; write web, worker, job or schedule'],
  ],
  [
    "a schedule without its times, in no time zone",
    {
      "services.upkeep": { ...upkeep, cron: undefined, timeZone: "Mars/Olympus", timeout: undefined },
    },
    [
      "system.services.upkeep.cron: is missing; add it: When it runs: minute, hour, day of month, month and day of week, " +
        'for example "30 3 * * sun"; with both days given, either will do',
      "system.services.upkeep.timeout: is missing; add it: A run that takes longer has failed, and is ended",
      'system.services.upkeep.timeZone: is not a time zone, got "Mars/Olympus"; write "UTC", or a name of the tz database, ' +
        'for example "Europe/Berlin"',
    ],
  ],
  [
    "times that cron does not know",
    { "services.upkeep": { ...upkeep, cron: "61 3 * * *" } },
    [
      'system.services.upkeep.cron: is not a time to run at, got "61 3 * * *"; write as its minute * or numbers from 0 to ' +
        '59, ranges a-b, steps */n or a-b/n, and lists of these, instead of "61"',
    ],
  ],
  [
    "too few fields of cron",
    { "services.upkeep": { ...upkeep, cron: "@daily" } },
    [
      'system.services.upkeep.cron: is not a time to run at, got "@daily"; write five fields: minute, hour, day of month, ' +
        'month, day of week, for example "30 3 * * sun"',
    ],
  ],
  [
    "a schedule that a store has no connection for",
    { "services.upkeep": { ...upkeep, connections: { db: 8 } }, "data.db.maxConnections": 10 },
    [
      "system.data.db.maxConnections: is less than the tasks of a rollout may open, got 10 for upkeep 1 × 8 + " +
        "administration 3 = 11; write 11 or more, or give services fewer replicas or smaller pools",
    ],
  ],
  [
    "what waits for a schedule",
    { "services.upkeep": upkeep, "services.api.dependsOn": ["upkeep"] },
    [
      'system.services.api.dependsOn[0]: is a schedule, got "upkeep"; remove it: a schedule runs at its times, whoever waits',
    ],
  ],
  [
    "no kind",
    { "data.db.kind": undefined },
    ["system.data.db.kind: is missing; write postgres, redis, rabbitmq, mongodb, clickhouse or managed"],
  ],
  [
    "a port out of range",
    { "services.api.port": 70000 },
    ["system.services.api.port: is out of range, got 70000; use a port from 1 to 65535"],
  ],
  [
    "root",
    { "services.api.user": "0:0" },
    [
      'system.services.api.user: is not a numeric user and group, got "0:0"; write for example "1000:1000"; root is refused',
    ],
  ],
  [
    "names that nothing declares",
    {
      "services.api.networks": ["edge", "backend"],
      "services.api.secrets": ["KEYS"],
      "services.mail.secretsAsEnv": ["TOKEN"],
      "services.mail.connections": { cache: 5 },
      "data.db.networks": ["backend"],
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "api", limit: "fast" }] }],
    },
    [
      'system.data.db.networks[0]: is not a network of the system, got "backend"; use edge or data, or declare it',
      'system.edge.sites[0].routes[0].limit: is not a limit of the system, got "fast"; use slow, or declare it',
      'system.services.api.networks[1]: is not a network of the system, got "backend"; use edge or data, or declare it',
      'system.services.api.secrets[0]: is not a secret of the system, got "KEYS"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      'system.services.mail.connections.cache: is not a store of the system, got "cache"; use db or queue, or declare it',
      'system.services.mail.secretsAsEnv[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, ' +
        "QUEUE_PASSWORD or DB_URL, or declare it",
    ],
  ],
  [
    "a dependency on nothing and on itself",
    { "services.mail.dependsOn": ["mail", "cache"] },
    [
      'system.services.mail.dependsOn[0]: is the service itself, got "mail"; remove it',
      'system.services.mail.dependsOn[1]: is not a service or store of the system, got "cache"; use migrate, api, db or ' +
        "queue, or declare it",
    ],
  ],
  [
    "dependencies in a circle",
    { "services.mail.dependsOn": ["api"], "services.migrate.dependsOn": ["mail"] },
    [
      "system.services.api.dependsOn: waits for itself, got api → migrate → mail → api; remove one of these dependencies",
    ],
  ],
  [
    "a variable and a secret of one name",
    {
      "services.mail.secretsAsEnv": ["KEY"],
      "services.mail.env": { KEY: "a", KEY_FILE: "b" },
    },
    [
      "system.services.mail.env.KEY: is also set by a secret of the service; remove one of the two",
      "system.services.mail.env.KEY_FILE: is also set by a secret of the service; remove one of the two",
      'system.services.mail.secrets[0]: is in `secretsAsEnv` too, got "KEY"; keep one of the two',
    ],
  ],
  [
    "a variable name in small letters",
    { "services.mail.env": { logLevel: "info" } },
    [
      'system.services.mail.env.logLevel: is not a variable name, got "logLevel"; use upper-case letters, digits and ' +
        "underscores, a letter first",
    ],
  ],
  [
    "a secret whose name Docker has no room for",
    { [`secrets.${"S".repeat(49)}`]: { kind: "generated" } },
    [`system.secrets.${"S".repeat(49)}: is too long for a secret, got "${"S".repeat(49)}"; use at most 48 characters`],
  ],
  [
    "a service with the name of a store",
    {
      "services.db": {
        kind: "worker",
        image: "api",
        networks: ["data"],
        resources: { memory: "64 MB" },
        health: { command: ["ping"] },
      },
    },
    ["system.services.db: has the name of a store; names within a system resolve to one thing, rename one of them"],
  ],
  [
    "a volume with the name of a store's",
    { "services.mail.volumes": { db: "/data" } },
    [
      "system.services.mail.volumes.db: has the name of a store's own volume; rename it, or both write into one directory",
    ],
  ],
  [
    "a volume at a relative path",
    { "services.mail.volumes": { files: "files" } },
    ['system.services.mail.volumes.files: is not an absolute path, got "files"; start it with /'],
  ],
  [
    "two things mounted at one path",
    {
      "services.mail.volumes": { files: "/data" },
      "services.mail.tmpfs": { "/data/": "1 MB", "/tmp": "8 MB" },
      "services.mail.files": { "/data": "text" },
    },
    ["files./data", "tmpfs./data/", "tmpfs./tmp"].map((place) => {
      const [, target] = place.split(".");
      return (
        `system.services.mail.${place}: is mounted twice, got "${target}"; keep one volume, tmpfs or file at a path; ` +
        "a read-only service has a tmpfs at /tmp already"
      );
    }),
  ],
  [
    "a file that Docker would not take",
    { "services.mail.files": { "/etc/big": "x".repeat(500 * 1024 + 1), "etc/small": "x", "/etc/empty": "" } },
    [
      "system.services.mail.files./etc/big: is larger than 500 KB, which is all that Docker takes; put it into the image " +
        "or on a volume",
      'system.services.mail.files./etc/empty: is empty, got ""; write at least one',
      'system.services.mail.files.etc/small: is not an absolute path, got "etc/small"; start it with /',
    ],
  ],
  [
    "capabilities that nobody should keep",
    { "services.mail.capabilities": ["SYS_ADMIN"] },
    [
      'system.services.mail.capabilities[0]: is not one of the choices, got "SYS_ADMIN"; write CHOWN, DAC_OVERRIDE, ' +
        "FOWNER, NET_BIND_SERVICE, SETGID or SETUID",
    ],
  ],
  [
    "Redis without memory for itself",
    { "data.queue.maxmemory": "128 MB" },
    [
      'system.data.queue.maxmemory: leaves Redis no memory for itself, got maxmemory "128 MB" of a limit of "128 MB"; ' +
        "keep maxmemory at three quarters of the limit: rewriting its file takes the rest",
    ],
  ],
  [
    "a password that berth does not generate",
    { "data.db.roles.shop.passwordSecret": "KEY", "data.queue.passwordSecret": "NONE" },
    [
      'system.data.db.roles.shop.passwordSecret: is not a generated secret, got "KEY" (supplied); declare one of kind generated',
      'system.data.queue.passwordSecret: is not a secret of the system, got "NONE"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
    ],
  ],
  [
    "more connections than a store takes",
    {
      "data.db.maxConnections": 100,
      "services.api.replicas": 2,
      "services.api.connections": { db: 20 },
      "services.mail.connections": { db: 20 },
      "services.mail.rollout": { order: "stop-first" },
      "services.migrate.connections": { db: 1 },
    },
    [
      "system.data.db.maxConnections: is less than the tasks of a rollout may open, got 100 for migrate 1 × 1 + api 4 × 20 + " +
        "mail 1 × 20 + administration 3 = 104; write 104 or more, or give services fewer replicas or smaller pools",
    ],
  ],
  [
    "composed secrets that cannot be composed",
    {
      "secrets.A": { kind: "composed", template: "${B}" },
      "secrets.B": { kind: "composed", template: "${A}" },
      "secrets.C": { kind: "composed", template: "${C}" },
      "secrets.D": { kind: "composed", template: "${KEY}${NONE}" },
      "secrets.E": { kind: "composed", template: "plain" },
    },
    [
      "system.secrets.A.template: refers to itself, got A → B → A; remove one of these references",
      "system.secrets.C.template: refers to itself, got ${C}; name another secret",
      'system.secrets.D.template: is not a secret of the system, got "NONE"; use KEY, DB_PASSWORD, QUEUE_PASSWORD, DB_URL, ' +
        "A, B, C, D or E, or declare it",
      "system.secrets.D.template: refers to an optional secret, got ${KEY}; make KEY required",
      "system.secrets.E.template: names no other secret; write it as ${NAME}",
    ],
  ],
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
    "a name that is not its folder's",
    { name: "store" },
    ['system.name: is not the name of its folder, got "store"; write "shop"'],
  ],
  [
    "mistakes of every kind in one service",
    {
      "services.api.image": undefined,
      "services.api.health": undefined,
      "services.api.resources": { reserveMemory: "lots" },
      "services.api.networks": ["edge", "backend"],
      "services.api.dependsOn": ["cache"],
      "services.api.colour": "blue",
    },
    [
      "system.services.api.colour: is not a known key; use kind, port, balance, image, command, env, secrets, networks, resources, " +
        "user, readOnly, dependsOn, connections, secretsAsEnv, replicas, health, rollout, stopGracePeriod, volumes, tmpfs, " +
        "files or capabilities",
      'system.services.api.dependsOn[0]: is not a service or store of the system, got "cache"; use migrate, mail, db or ' +
        "queue, or declare it",
      "system.services.api.health: is missing; add it: How a container is asked whether it works: `path` or `command`",
      "system.services.api.image: is missing; add it: Key of the image under `berth:images` in the stack file",
      'system.services.api.networks[1]: is not a network of the system, got "backend"; use edge or data, or declare it',
      "system.services.api.resources.memory: is missing; add it: Hard memory limit; a container above it is killed",
      'system.services.api.resources.reserveMemory: is not a size, got "lots"; write a number above 0, a blank and KB, MB ' +
        'or GB, for example "512 MB"',
    ],
  ],
  [
    "a circle, an unknown store, a secret from nowhere, a name that is taken and a route to a worker, all together",
    {
      "services.migrate.dependsOn": ["mail"],
      "services.mail.dependsOn": ["migrate", "cache"],
      "services.mail.connections": { warehouse: 5 },
      "services.api.secrets": ["TOKEN"],
      "services.queue": {
        kind: "worker",
        image: "api",
        networks: ["data"],
        resources: { memory: "64 MB" },
        health: { command: ["ping"] },
      },
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "mail" }] }],
    },
    [
      'system.edge.sites[0].routes[0].service: does not answer HTTP, got "mail" (worker); use api',
      'system.services.api.secrets[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      "system.services.mail.connections.warehouse: " +
        'is not a store of the system, got "warehouse"; use db or queue, or declare it',
      "system.services.mail.dependsOn: waits for itself, got mail → migrate → mail; remove one of these dependencies",
      'system.services.mail.dependsOn[1]: is not a service or store of the system, got "cache"; use migrate, api, queue or ' +
        "db, or declare it",
      "system.services.queue: has the name of a store; names within a system resolve to one thing, rename one of them",
    ],
  ],
  [
    "a refused service, without calling it missing",
    { "services.api.port": "80" },
    ['system.services.api.port: is not a number, got "80"; write a number without quotes'],
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

describe("a system", () => {
  it("is taken when nothing is wrong with it", () => {
    assert.deepEqual(spoilt({}), []);
  });

  it("may have services on one port, for each has an address of its own, and ask a worker on a port", () => {
    const health = { path: "/health", port: 80 };
    const twin = {
      kind: "web",
      image: "api",
      port: 80,
      networks: ["edge", "data"],
      resources: { memory: "64 MB" },
      health,
    };
    assert.deepEqual(spoilt({ "services.twin": twin, "services.mail.health": health }), []);
  });

  for (const [title, changes, problems] of cases) {
    it(`rejects ${title}`, () => {
      assert.deepEqual(spoilt(changes), problems);
    });
  }

  it("rejects what is no system at all", () => {
    const raw = { stack: "local", values: { "berth:system": "shop" }, secretKeys: [], system: "shop" };
    assert.ok(problemsOf(raw).includes('system: is not a mapping, got "shop"; write keys and values'));
  });
});

describe("a schedule on hosts that are full without it", () => {
  it("is refused with the arithmetic: it runs beside everything else", () => {
    const host = { name: "vm-1", address: "vm-1", hostKey: sampleHostKey, labels: { edge: "true" }, memory: "512 MB" };
    assert.deepEqual(spoilt({}, { "berth:hosts": [host] }), []);
    assert.deepEqual(spoilt({ "services.upkeep": upkeep }, { "berth:hosts": [host] }), [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 512 MB for api 128 MB + mail 128 MB + " +
        "upkeep 64 MB + db 128 MB + queue 128 MB = 576 MB; add memory or hosts, or lower limits and replicas",
    ]);
  });
});

describe("a system and its hosts, wrong in every way that can be seen beforehand", () => {
  it("are refused in one answer, each mistake with its place and its cure", () => {
    const changes = {
      "services.mail.dependsOn": ["mail", "api", "cache"],
      "services.migrate.dependsOn": ["mail"],
      "services.mail.secrets": ["TOKEN"],
      "services.queue": {
        kind: "web",
        // No mistake: each task has an address of its own, so others on the network may use the port too.
        port: 80,
        image: "api",
        networks: ["edge"],
        resources: { memory: "64 MB" },
        health: { path: "/" },
      },
      "services.api.volumes": { db: "/data" },
      "edge.sites": [{ host: "${domain}", routes: [{ path: "/", service: "mail" }] }],
    };
    const host = { name: "vm-1", address: "vm-1", hostKey: sampleHostKey, labels: { edge: "true" }, memory: "256 MB" };
    assert.deepEqual(spoilt(changes, { "berth:hosts": [host] }), [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 256 MB for api 128 MB + mail 128 MB + " +
        "queue 64 MB + db 128 MB + queue 128 MB = 576 MB; add memory or hosts, or lower limits and replicas",
      'system.edge.sites[0].routes[0].service: does not answer HTTP, got "mail" (worker); use api or queue',
      "system.services.api.dependsOn: waits for itself, got api → migrate → mail → api; remove one of these dependencies",
      "system.services.api.volumes.db: has the name of a store's own volume; rename it, or both write into one directory",
      'system.services.mail.dependsOn[0]: is the service itself, got "mail"; remove it',
      'system.services.mail.dependsOn[2]: is not a service or store of the system, got "cache"; use migrate, api, queue or ' +
        "db, or declare it",
      'system.services.mail.secrets[0]: is not a secret of the system, got "TOKEN"; use KEY, DB_PASSWORD, QUEUE_PASSWORD or ' +
        "DB_URL, or declare it",
      "system.services.queue: has the name of a store; names within a system resolve to one thing, rename one of them",
    ]);
  });
});
