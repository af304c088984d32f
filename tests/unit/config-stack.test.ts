import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { sampleHostKey, sampleImages, sampleRaw } from "../support/sample-config.ts";

/* Bad stack files and what is said about them: nothing less, nothing more. */

const digest = `sha256:${"1".repeat(64)}`;
const host = { name: "vm-1", address: "198.18.0.1", hostKey: sampleHostKey, labels: { edge: "true" } };
const acme = { email: "ops@palmistry.com", agreeToTerms: true };
/** What staging and production take where the sample has what only the local environment takes. */
const remote = {
  "berth:environment": "staging",
  "berth:hosts": [host],
  "berth:acme": acme,
};

const one = { ...host, privateAddress: "10.0.0.1" };
const two = { name: "vm-2", address: "vm-2", hostKey: sampleHostKey, privateAddress: "10.0.0.2", role: "worker" };
const fleet = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...one,
    name: `vm-${index + 1}`,
    address: `vm-${index + 1}`,
    privateAddress: `10.0.0.${index + 1}`,
  }));
const volumes = { postgres: "vm-1", redis: "vm-1", uploads: "vm-2" };
const onOne = { ...volumes, uploads: "vm-1" };
/** Two hosts that are right, but for what a case changes. */
const placed = { "berth:volumes": volumes };

const { api: _, ...withoutApi } = sampleImages;
const byHand = ", or before the first up write its repository:tag@sha256:…";
const unpinned = ["api", "edge", "frontend", "postgres", "redis", "worker"].map(
  (key) => `berth:images.${key}: is missing; run \`npm run berth -- pin local ${key}=<tag>\`${byHand}`,
);

const cases: [title: string, changes: Record<string, unknown>, problems: string[]][] = [
  [
    "nothing but the name of a system",
    {
      ...Object.fromEntries(Object.keys(sampleRaw().values).map((key) => [key, undefined])),
      "berth:system": "palmistry",
    },
    [
      "berth:acme: is missing; add it: Certificate authority",
      "berth:cloudflare: is missing; add it: Cloudflare zone, or `none`",
      "berth:domain: is missing; add it: Domain that `${domain}` stands for in the system",
      "berth:environment: is missing; write local, staging or production",
      "berth:hosts: is missing; add it: Machines, by SSH address",
      ...unpinned,
      "berth:registry: is missing; add it: Registry that the images come from",
      "palmistry:OPENAI_API_KEY: is missing; run `pulumi config set --secret palmistry:OPENAI_API_KEY --stack local`",
    ],
  ],
  [
    "an unknown key",
    { "berth:regsitry": "x" },
    [
      "berth:regsitry: is not a known key; use system, environment, domain, hosts, volumes, swarm, firewall, registry, images, services, " +
        "managed, limits, operators, secretGenerations, acme, certificates, cloudflare, encryptNetworks, convergenceSlack or maintenance",
    ],
  ],
  [
    "an unknown key in a host",
    { "berth:hosts": [{ ...host, adress: "vm" }] },
    [
      "berth:hosts[0].adress: is not a known key; use name, address, port, user, hostKey, publicAddress, publicAddress6, " +
        "privateAddress, role, state, memory, cpus or labels",
    ],
  ],
  [
    "an unknown key in a choice between mappings",
    { "berth:cloudflare": { zoneId: "0".repeat(32), proxy: true } },
    [
      "berth:cloudflare.proxy: is not a known key; use zoneId, zone, accountId, plan, proxied, manages, records, settings, " +
        "firewall, rateLimits, cache, headers, access, loadBalancer or adopt",
    ],
  ],
  [
    "neither of two forms",
    { "berth:cloudflare": "off" },
    ['berth:cloudflare: is not a zone, got "off"; write none, or zoneId and proxied below it'],
  ],
  [
    "a firewall for Cloudflare without Cloudflare in front",
    { "berth:firewall": { web: "cloudflare" } },
    [
      'berth:firewall.web: lets nobody in, since visitors do not come through Cloudflare, got "cloudflare"; write any, ' +
        "or proxied: true below cloudflare",
    ],
  ],
  [
    "a firewall that lets SSH in from no network",
    { "berth:firewall": { ssh: ["198.18.0.1"] } },
    [
      'berth:firewall.ssh[0]: is not a network, got "198.18.0.1"; write an address and a length, for example ' +
        "198.18.0.0/24 or 2001:db8::/32",
    ],
  ],
  [
    "a zone id of another form",
    { "berth:cloudflare": { zoneId: "abc" } },
    [
      `berth:cloudflare.zoneId: is not a zone id, got "abc"; copy its 32 hexadecimal digits from the zone's overview page`,
    ],
  ],
  [
    "a word that is none of the choices",
    { "berth:environment": "prod" },
    ['berth:environment: is not one of the choices, got "prod"; write local, staging or production'],
  ],
  [
    "a domain with a scheme",
    { "berth:domain": "https://palmistry.com" },
    ['berth:domain: is not a domain name, got "https://palmistry.com"; write for example palmistry.com'],
  ],
  [
    "text that only looks like a mapping",
    { "berth:registry": "{address" },
    ['berth:registry: is not a mapping, got "{address"; write keys and values'],
  ],
  [
    "a list where a mapping belongs",
    { "berth:images": "[]" },
    ["berth:images: is not a mapping, got an empty list; write keys and values", ...unpinned],
  ],
  ["no hosts", { "berth:hosts": [] }, ["berth:hosts: is empty, got an empty list; write at least one"]],
  [
    "a name in capitals",
    { "berth:hosts": [{ ...host, name: "VM_1" }] },
    [
      'berth:hosts[0].name: is not a name, got "VM_1"; use lower-case letters, digits and hyphens, a letter first, ' +
        "at most 30 characters",
    ],
  ],
  [
    "a port below all",
    { "berth:hosts": [{ ...host, port: 0 }] },
    ["berth:hosts[0].port: is out of range, got 0; use a port from 1 to 65535"],
  ],
  [
    "a port above all",
    { "berth:hosts": [{ ...host, port: 65536 }] },
    ["berth:hosts[0].port: is out of range, got 65536; use a port from 1 to 65535"],
  ],
  [
    "a port as text",
    { "berth:hosts": [{ ...host, port: "22" }] },
    ['berth:hosts[0].port: is not a number, got "22"; write a number without quotes'],
  ],
  [
    "a port between two ports",
    { "berth:hosts": [{ ...host, port: 22.5 }] },
    ["berth:hosts[0].port: is not a whole number, got 22.5; write a whole number"],
  ],
  [
    "a label that is no text",
    { "berth:hosts": [{ ...host, labels: { edge: true } }] },
    [
      'berth:hosts: has no edge; give at least one host the label `edge: "true"`',
      "berth:hosts[0].labels.edge: is not text, got true; write text, in quotes if it looks like a number",
    ],
  ],
  [
    "a host key of another form",
    { "berth:hosts": [{ ...host, hostKey: "SHA256:abc" }] },
    [
      'berth:hosts[0].hostKey: is not a public host key, got "SHA256:abc"; paste the line that ' +
        "`npm run berth -- host-key <address>` prints",
    ],
  ],
  [
    "an address with a user",
    { "berth:hosts": [{ ...host, address: "root@vm" }] },
    ['berth:hosts[0].address: is not an address, got "root@vm"; write a host name or an IP, without a user or port'],
  ],
  [
    "two hosts of one name",
    { "berth:volumes": onOne, "berth:hosts": [one, { ...two, name: "vm-1" }] },
    ['berth:hosts[1].name: is the name of another host, got "vm-1"; every host is listed once'],
  ],
  [
    "two hosts at one address and port",
    { ...placed, "berth:hosts": [one, { ...two, address: "198.18.0.1" }] },
    ['berth:hosts[1].address: is the address and port of another host, got "198.18.0.1:22"; every host is listed once'],
  ],
  [
    "two hosts at one private address",
    { ...placed, "berth:hosts": [one, { ...two, privateAddress: "10.0.0.1" }] },
    [
      'berth:hosts[1].privateAddress: is the private address of another host, got "10.0.0.1"; every host is listed once',
    ],
  ],
  [
    "several hosts that do not say where they reach each other",
    { ...placed, "berth:hosts": [{ ...one, privateAddress: undefined }, two] },
    [
      "berth:hosts[0].privateAddress: is missing; write the address at which the other hosts reach this one, for " +
        "example 10.0.0.11",
    ],
  ],
  [
    "two managers",
    { ...placed, "berth:hosts": [one, { ...two, role: "manager" }] },
    [
      "berth:hosts: has 2 managers, which survive the loss of neither, got vm-1 and vm-2; give one the role worker, " +
        "or make it 3 managers",
    ],
  ],
  [
    "four managers",
    { ...placed, "berth:hosts": fleet(4) },
    [
      "berth:hosts: has 4 managers, which survive no more losses than 3, got vm-1, vm-2, vm-3 and vm-4; give one the " +
        "role worker, or make it 5 managers",
    ],
  ],
  [
    "six managers",
    { ...placed, "berth:hosts": fleet(6) },
    [
      "berth:hosts: has more managers than help, got 6 (vm-1, vm-2, vm-3, vm-4, vm-5 and vm-6): each confirms every " +
        "change; give all but 5 the role worker",
    ],
  ],
  [
    "no manager",
    { "berth:hosts": [{ ...host, role: "worker" }] },
    ["berth:hosts: has no manager; give 1, 3 or 5 hosts the role manager"],
  ],
  [
    "a role and a state that there are not",
    { "berth:hosts": [{ ...host, role: "leader", state: "paused" }] },
    [
      'berth:hosts[0].role: is not one of the choices, got "leader"; write manager or worker',
      'berth:hosts[0].state: is not one of the choices, got "paused"; write active or drain',
    ],
  ],
  [
    "nothing but drained hosts",
    { "berth:hosts": [{ ...host, state: "drain" }] },
    ["berth:hosts: leaves no host to run anything, got drain for all; keep one of them active"],
  ],
  [
    "volumes that are on no host in particular",
    { "berth:hosts": [one, two] },
    ["postgres", "redis", "uploads"].map(
      (volume) => `berth:volumes.${volume}: is missing; write the host that keeps this volume: vm-1 or vm-2`,
    ),
  ],
  [
    "volumes on hosts that there are not, and volumes that there are not",
    { "berth:hosts": [one, two], "berth:volumes": { ...volumes, redis: "vm-3", cache: "vm-1" } },
    [
      "berth:volumes.cache: is not a volume of the system; use postgres, redis or uploads",
      'berth:volumes.redis: is not a host, got "vm-3"; use vm-1 or vm-2',
    ],
  ],
  [
    "a volume on a drained host",
    { ...placed, "berth:hosts": [one, { ...two, state: "drain" }] },
    [
      'berth:volumes.uploads: is on a host that is drained, which stops api and worker, got "vm-2"; keep the host ' +
        "active, or move the volume's data first and name its new host",
    ],
  ],
  [
    "the same mistake behind a refused entry",
    {
      "berth:volumes": onOne,
      "berth:hosts": [
        { ...two, name: "vm-0", address: undefined },
        one,
        { ...two, name: "vm-1", privateAddress: "10.0.0.3" },
      ],
    },
    [
      "berth:hosts[0].address: is missing; add it: Address that SSH dials, a name or an IP",
      'berth:hosts[2].name: is the name of another host, got "vm-1"; every host is listed once',
    ],
  ],
  [
    "no host with an edge",
    { "berth:hosts": [{ ...host, labels: {} }] },
    ['berth:hosts: has no edge; give at least one host the label `edge: "true"`'],
  ],
  [
    "no host key outside the local environment",
    { ...remote, "berth:hosts": [{ ...host, hostKey: undefined, port: 2222 }] },
    [
      "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key 198.18.0.1:2222` and paste the line it prints",
    ],
  ],
  [
    "placeholders outside the local environment",
    {
      ...remote,
      "berth:hosts": [{ ...host, address: "192.0.2.10", hostKey: undefined, publicAddress: "203.0.113.1" }],
      "berth:acme": { ...acme, email: "ops@example.com" },
      "berth:registry": { address: "registry.example.com:5000/acme" },
    },
    [
      'berth:acme.email: is an address for documentation, got "ops@example.com"; write one that is read',
      'berth:hosts[0].address: is an address for documentation, got "192.0.2.10"; write the address of your machine',
      "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key <address>` and paste the line it prints",
      'berth:hosts[0].publicAddress: is an address for documentation, got "203.0.113.1"; write what visitors reach',
      'berth:registry.address: is an address for documentation, got "registry.example.com:5000/acme"; write your registry\'s',
    ],
  ],
  [
    "terms that are not accepted",
    { "berth:acme": { ...acme, agreeToTerms: false } },
    ["berth:acme.agreeToTerms: is not accepted, got false; read the authority's terms and write true"],
  ],
  [
    "an ACME directory without TLS",
    { "berth:acme": { ...acme, directory: "http://acme.test" } },
    [`berth:acme.directory: is not an https address, got "http://acme.test"; write the directory's full address`],
  ],
  [
    "a CA that is no certificate",
    { "berth:registry": { address: "r.test", ca: "ca.pem" } },
    [
      'berth:registry.ca: is not a certificate, got "ca.pem"; paste it from BEGIN CERTIFICATE to END CERTIFICATE, ' +
        "lines kept with `|`",
    ],
  ],
  [
    "an image that is none",
    { "berth:images": { ...sampleImages, api: "https://r.test/api:1" } },
    [
      'berth:images.api: is not an image reference, got "https://r.test/api:1"; write ' +
        "repository:tag@sha256:<64 hexadecimal digits>, without https://",
    ],
  ],
  [
    "latest, or no version, locally",
    { "berth:images": { ...sampleImages, api: "r.test/api:latest", worker: "r.test/worker" } },
    [
      'berth:images.api: does not say which version, got "r.test/api:latest"; write r.test/api:<tag>',
      'berth:images.worker: does not say which version, got "r.test/worker"; write r.test/worker:<tag>',
    ],
  ],
  [
    "floating tags outside the local environment",
    {
      ...remote,
      "berth:images": { ...sampleImages, api: "r.test/api:1.0.0", worker: "r.test/worker:latest" },
    },
    [
      'berth:images.api: is a floating tag, got "r.test/api:1.0.0"; run `npm run berth -- pin local api=1.0.0`',
      'berth:images.worker: does not say which version, got "r.test/worker:latest"; ' +
        "run `npm run berth -- pin local worker=<tag>`",
    ],
  ],
  [
    "pins that are missing or unused",
    { "berth:images": { ...withoutApi, cache: `r.test/x@${digest}` } },
    [
      `berth:images.api: is missing; run \`npm run berth -- pin local api=<tag>\`${byHand}`,
      "berth:images.cache: is used by nothing in the system; remove it, or use api, frontend, worker, postgres, redis or edge",
    ],
  ],
  [
    "overrides of what is not there",
    {
      "berth:services": { apu: { replicas: 1 } },
      "berth:limits": { apu: { burst: 1 } },
      "berth:secretGenerations": { SECRET: 2, OPENAI_API_KEY: 2 },
    },
    [
      "berth:limits.apu: is not a limit of the system; use api",
      "berth:secretGenerations.OPENAI_API_KEY: is not a generated secret of the system; use SECRET_KEY, JWT_SECRET, " +
        "POSTGRES_PASSWORD or REDIS_PASSWORD",
      "berth:secretGenerations.SECRET: is not a generated secret of the system; use SECRET_KEY, JWT_SECRET, " +
        "POSTGRES_PASSWORD or REDIS_PASSWORD",
      "berth:services.apu: is not a service or store of the system; use migrate, api, frontend, worker, postgres or redis",
    ],
  ],
  [
    "overrides that do not apply",
    {
      "berth:services": {
        api: { maxmemory: "1 GB" },
        migrate: { replicas: 2 },
        redis: { replicas: 3, env: { A: "b" } },
        postgres: { replicas: 1 },
      },
    },
    [
      "berth:services.api.maxmemory: does not apply to a web; remove it",
      "berth:services.migrate.replicas: does not apply to a job; remove it",
      "berth:services.postgres.replicas: does not apply to a postgres; remove it",
      "berth:services.redis.env: does not apply to a redis; remove it",
      "berth:services.redis.replicas: does not apply to a redis; remove it",
    ],
  ],
  [
    "a reservation above the limit that the stack sets",
    { "berth:services": { api: { resources: { reserveMemory: "1 GB" } } } },
    ['berth:services.api.resources.reserveMemory: is above the limit, got "1 GB" of "512 MB"; write "512 MB" or less'],
  ],
  [
    "more replicas than a store of the system, or of the stack, has connections for",
    { "berth:services": { api: { replicas: 5 }, redis: { maxclients: 500 } } },
    [
      "berth:services.redis.maxclients: is less than the tasks of a rollout may open, got 500 for api 10 × 50 + " +
        "worker 2 × 200 = 900; write 900 or more, or give services fewer replicas or smaller pools",
      "system.data.postgres.maxConnections: is less than the tasks of a rollout may open, got 500 for migrate 1 × 1 + " +
        "api 10 × 50 + worker 2 × 40 + administration 3 = 584; write 584 or more, or give services fewer replicas or " +
        "smaller pools",
    ],
  ],
  [
    "a memory limit of the stack that Redis fills by itself",
    { "berth:services": { redis: { resources: { memory: "256 MB" } } } },
    [
      'berth:services.redis.resources.memory: leaves Redis no memory for itself, got maxmemory "384 MB" of a limit of ' +
        '"256 MB"; keep maxmemory at three quarters of the limit: rewriting its file takes the rest',
    ],
  ],
  [
    "operators that are no network",
    { "berth:operators": ["198.18.0.0/33", "office", "198.18.0.1", "2001:db8::/32", "198.18.0.0/15/1"] },
    ["198.18.0.0/33", "office", "198.18.0.0/15/1"].map(
      (got, index) =>
        `berth:operators[${[0, 1, 4][index]}]: is not an address or a network, got "${got}"; ` +
        "write for example 198.18.7.1 or 198.18.0.0/15",
    ),
  ],
  [
    "limits above what the hosts have in sum, with the arithmetic",
    {
      "berth:hosts": [{ ...host, memory: "3 GB", cpus: 2 }],
      "berth:services": { api: { resources: { reserveCpus: 0.5 } }, worker: { resources: { reserveCpus: 1 } } },
    },
    [
      "berth:hosts: have fewer cores than what runs has reserved on them, got vm-1 2 cores for api 3 × 0.5 cores + " +
        "worker 1 core = 2.5 cores; add cores or hosts, or reserve less",
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 3 GB for api 3 × 512 MB + " +
        "frontend 256 MB + worker 512 MB + postgres 1 GB + redis 512 MB = 3.75 GB; add memory or hosts, or lower " +
        "limits and replicas",
    ],
  ],
  [
    "limits for which a drained host would have had room",
    {
      "berth:hosts": [
        { ...host, memory: "3 GB", privateAddress: "10.0.0.1" },
        {
          ...host,
          name: "vm-2",
          address: "198.18.0.2",
          privateAddress: "10.0.0.2",
          role: "worker",
          state: "drain",
          memory: "8 GB",
        },
      ],
      "berth:volumes": { postgres: "vm-1", redis: "vm-1", uploads: "vm-1" },
    },
    [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 3 GB for api 3 × 512 MB + " +
        "frontend 256 MB + worker 512 MB + postgres 1 GB + redis 512 MB = 3.75 GB; add memory or hosts, or lower " +
        "limits and replicas",
    ],
  ],
  [
    "a task that is larger than any host",
    {
      "berth:hosts": [{ ...host, cpus: 1.5, memory: "4 GB" }],
      "berth:services": { api: { replicas: 1 }, postgres: { resources: { memory: "1.5 GB" } } },
    },
    [
      "berth:hosts: have no room for a task of postgres, got 1.5 cores at most for 2 cores; use a larger host, or lower its limit",
    ],
  ],
  [
    "maintenance of what there is not",
    {
      "berth:maintenance": [
        { host: "shop.${domain}" },
        { host: "${domain}", path: "/api/v9" },
        { host: "${domain}", path: "/api", retryAfter: "soon" },
      ],
    },
    [
      'berth:maintenance[0].host: is no host of the system, got "shop.${domain}"; use ${domain} or api.${domain}',
      'berth:maintenance[1].path: is no route of palmistry.test, got "/api/v9"; use /, /api/, /api/ws, /api/health or /_next/static',
      'berth:maintenance[2].retryAfter: is not a duration, got "soon"; write a number above 0, a blank and a unit, for example "30 seconds"',
    ],
  ],
  [
    "a negative count and a rate of another form",
    {
      "berth:services": { api: { replicas: -1 } },
      "berth:limits": { api: { rate: "10/s" } },
    },
    [
      'berth:limits.api.rate: is not a rate, got "10/s"; write for example "10 r/s" or "100 r/m", at least "1 r/m"',
      "berth:services.api.replicas: is too small, got -1; write 0 or more",
    ],
  ],
  [
    "a duration of nothing",
    { "berth:convergenceSlack": "0 seconds" },
    [
      'berth:convergenceSlack: is not a duration, got "0 seconds"; write a number above 0, a blank and a unit, ' +
        'for example "30 seconds"',
    ],
  ],
  [
    "mistakes of every kind at once",
    {
      "berth:environment": "staging",
      "berth:colour": "blue",
      "berth:hosts": [
        { ...two, name: "vm-1", address: "vm-1", hostKey: undefined, port: 99999 },
        one,
        { ...one, role: "worker" },
      ],
      "berth:volumes": onOne,
      "berth:images": { ...sampleImages, api: "r.test/api:1.0.0", redis: 7 },
      "palmistry:OPENAI_API_KEY": undefined,
    },
    [
      "berth:colour: is not a known key; use system, environment, domain, hosts, volumes, swarm, firewall, registry, images, services, " +
        "managed, limits, operators, secretGenerations, acme, certificates, cloudflare, encryptNetworks, convergenceSlack or maintenance",
      "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key vm-1` and paste the line it prints",
      "berth:hosts[0].port: is out of range, got 99999; use a port from 1 to 65535",
      'berth:hosts[1].name: is the name of another host, got "vm-1"; every host is listed once',
      'berth:hosts[2].address: is the address and port of another host, got "198.18.0.1:22"; every host is listed once',
      'berth:hosts[2].name: is the name of another host, got "vm-1"; every host is listed once',
      'berth:hosts[2].privateAddress: is the private address of another host, got "10.0.0.1"; every host is listed once',
      'berth:images.api: is a floating tag, got "r.test/api:1.0.0"; run `npm run berth -- pin local api=1.0.0`',
      "berth:images.redis: is not text, got 7; write text, in quotes if it looks like a number",
      "palmistry:OPENAI_API_KEY: is missing; run `pulumi config set --secret palmistry:OPENAI_API_KEY --stack local`",
    ],
  ],
];

describe("a stack file", () => {
  it("is taken when nothing is wrong with it", () => {
    assert.deepEqual(problemsOf(sampleRaw()), []);
    assert.deepEqual(problemsOf(sampleRaw(remote)), []);
  });

  for (const [title, changes, problems] of cases) {
    it(`rejects ${title}`, () => {
      assert.deepEqual(problemsOf(sampleRaw(changes)), problems);
    });
  }

  it("names the systems that there are when it names another", () => {
    const raw = {
      ...sampleRaw({ "berth:system": "palmystry" }),
      system: undefined,
      knownSystems: ["chat", "palmistry"],
    };
    assert.deepEqual(problemsOf(raw), [
      'berth:system: is not a system, got "palmystry"; use chat or palmistry, or add systems/palmystry/system.ts',
    ]);
  });

  it("tells of a system that cannot be read together with everything else", () => {
    const failure = "Cannot find module './menu.ts'";
    const changes = { "berth:domain": undefined, "palmistry:OPENAI_API_KEY": undefined };
    assert.deepEqual(problemsOf({ ...sampleRaw(changes), system: undefined, systemFailure: failure }), [
      "berth:domain: is missing; add it: Domain that `${domain}` stands for in the system",
      `system: cannot be read, got "${failure}" from systems/palmistry/system.ts; correct it, ` +
        "`node systems/palmistry/system.ts` shows where",
    ]);
  });

  it("refuses a system whose volumes another one could name too", () => {
    const raw = { ...sampleRaw(), knownSystems: ["palm", "palmistry", "palmistry-eu", "palmist"] };
    assert.deepEqual(problemsOf(raw), [
      'berth:system: shares volume, service and network names with the system "palmistry-eu", got "palmistry": ' +
        'palmistry-eu-data could be "eu-data" of palmistry or "data" of palmistry-eu; rename one of their folders',
    ]);
  });

  it("is taken for the wrong file when it has no settings at all", () => {
    const cure = "copy Pulumi.staging.yaml to Pulumi.local.yaml, or name the right file with --config-file";
    const raw = { ...sampleRaw(), values: {} };
    assert.deepEqual(problemsOf(raw), [`berth: has no settings, got an empty stack file; ${cure}`]);
    assert.deepEqual(problemsOf({ ...raw, values: { "palmistry:OPENAI_API_KEY": "x" } }), [
      `berth: has no settings, got only palmistry:OPENAI_API_KEY; ${cure}`,
    ]);
  });

  it("ignores what is not in its namespaces", () => {
    const others = { "pulumi:disable-default-providers": "[]", "aws:region": "x", "other:KEY": "y" };
    assert.deepEqual(problemsOf(sampleRaw(others)), []);
  });
});
