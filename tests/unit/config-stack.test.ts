import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { itRejects, type Refusal } from "../support/refusals.ts";
import { sampleImages, sampleRaw } from "../support/sample-config.ts";
import { host, one, two } from "../support/sample-hosts.ts";

/* Bad stack files and what is said about them: nothing less, nothing more. */

const digest = `sha256:${"1".repeat(64)}`;
const acme = { email: "ops@palmistry.com", agreeToTerms: true };
/** What staging and production take where the sample has what only the local environment takes. */
const remote = {
  "berth:environment": "staging",
  "berth:hosts": [host],
  "berth:acme": acme,
};

const onOne = { postgres: "vm-1", redis: "vm-1", uploads: "vm-1" };

const { api: _, ...withoutApi } = sampleImages;
const byHand = ", or before the first up write its repository:tag@sha256:…";
const unpinned = ["api", "edge", "frontend", "postgres", "redis", "worker"].map(
  (key) => `berth:images.${key}: is missing; run \`npm run berth -- pin local ${key}=<tag>\`${byHand}`,
);

const refusals: readonly Refusal[] = [
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
      "berth:regsitry: is not a known key; use system, environment, domain, hosts, jumpHosts, volumes, swarm, docker, firewall, edge, registry, images, services, " +
        "managed, limits, operators, secretGenerations, acme, certificates, cloudflare, encryptNetworks, convergenceSlack or maintenance",
    ],
  ],
  [
    "an unknown key in a choice between mappings",
    { "berth:cloudflare": { zoneId: "0".repeat(32), proxy: true } },
    [
      "berth:cloudflare.proxy: is not a known key; use zoneId, zone, accountId, plan, proxied, manages, records, settings, " +
        "firewall, rateLimits, cache, headers, access, originPulls, loadBalancer or adopt",
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
    "HTTP/3 behind Cloudflare, which asks hosts over TCP",
    {
      "berth:firewall": { http3: true },
      "berth:cloudflare": { zoneId: "0123456789abcdef0123456789abcdef", proxied: true },
    },
    [
      "berth:firewall.http3: is for visitors who reach the hosts themselves, got true; write false: Cloudflare has its own, " +
        "cloudflare.settings.http3, and asks the hosts over TCP",
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
    "operators that are no network",
    { "berth:operators": ["198.18.0.0/33", "office", "198.18.0.1", "2001:db8::/32", "198.18.0.0/15/1"] },
    ["198.18.0.0/33", "office", "198.18.0.0/15/1"].map(
      (got, index) =>
        `berth:operators[${[0, 1, 4][index]}]: is not an address or a network, got "${got}"; ` +
        "write for example 198.18.7.1 or 198.18.0.0/15",
    ),
  ],
  [
    "networks that do not begin where they say",
    {
      "berth:operators": ["198.18.7.1/15", "2001:db8::7/32"],
      "berth:firewall": { ssh: ["198.18.7.1/24", "2001:db8::/32"] },
    },
    [
      'berth:firewall.ssh[0]: is not where its network begins, got "198.18.7.1/24"; write 198.18.7.0/24 for all of it, ' +
        "or 198.18.7.1/32 for the one address",
      'berth:operators[0]: is not where its network begins, got "198.18.7.1/15"; write 198.18.0.0/15 for all of it, ' +
        "or 198.18.7.1/32 for the one address",
      'berth:operators[1]: is not where its network begins, got "2001:db8::7/32"; write 2001:db8::/32 for all of it, ' +
        "or 2001:db8::7/128 for the one address",
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
      "berth:colour: is not a known key; use system, environment, domain, hosts, jumpHosts, volumes, swarm, docker, firewall, edge, registry, images, services, " +
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

  itRejects(refusals, (changes) => problemsOf(sampleRaw(changes)));

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
    const broken = { system: undefined, systemFailure: failure, knownSystems: ["palmistry", "palmistry-eu"] };
    const problems = problemsOf({ ...sampleRaw(changes), ...broken });
    assert.match(
      problems.splice(1, 1).join(),
      /^berth:system: shares volume, service and network names .* "palmistry-eu"/,
    );
    assert.deepEqual(problems, [
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
