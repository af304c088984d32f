import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { sampleRaw } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";

const problems = (more: object): string[] =>
  problemsOf(sampleRaw({ "berth:cloudflare": { zoneId, proxied: true, ...more } }));

const link = "see https://developers.cloudflare.com/waf/rate-limiting-rules/#availability";
const cases: readonly [what: string, more: object, expected: string[]][] = [
  [
    "a record outside the zone",
    { records: [{ type: "CNAME", name: "www.elsewhere.test", target: "${domain}" }] },
    [
      'berth:cloudflare.records[0].name: is not in the zone, got "www.elsewhere.test"; use a name below palmistry.test, ' +
        "or name the zone in cloudflare.zone",
    ],
  ],
  [
    "sites outside the zone",
    { zone: "elsewhere.test" },
    ["api.palmistry.test", "palmistry.test"].map(
      (host) =>
        `berth:cloudflare.zone: is not in the zone, got "${host}"; use a name below elsewhere.test, ` +
        "or name the zone in cloudflare.zone",
    ),
  ],
  [
    "a short record name",
    { records: [{ type: "TXT", name: "www", text: "x" }] },
    [
      'berth:cloudflare.records[0].name: is not a full name, got "www"; write for example www.${domain}, or ${domain} itself',
    ],
  ],
  [
    "longer counting than the plan allows",
    { rateLimits: { api: { requests: 100, period: "1 minute", block: "10 seconds" } } },
    [
      `berth:cloudflare.rateLimits.api.period: is longer than the plan free allows, got "1 minute"; write at most "10 seconds", ${link}`,
    ],
  ],
  [
    "a length that Cloudflare does not know",
    { plan: "pro", rateLimits: { api: { requests: 100, period: "25 seconds", block: "1 hour" } } },
    [
      'berth:cloudflare.rateLimits.api.period: is not a length that Cloudflare knows, got "25 seconds"; use 10 s, 15 s, ' +
        "20 s, 30 s, 40 s, 45 s or 60 s",
    ],
  ],
  [
    "a limit that the system does not have",
    { rateLimits: { login: { requests: 10, period: "10 seconds", block: "10 seconds" } } },
    ["berth:cloudflare.rateLimits.login: is not a limit of the system; use api"],
  ],
  [
    "managed rules on a free plan",
    { firewall: { managed: ["owasp"] } },
    ['berth:cloudflare.firewall.managed[0]: needs the plan pro, got "owasp" on free; remove it, or change the plan'],
  ],
  [
    "a regular expression below the plan business",
    { firewall: { rules: { odd: { action: "block", expression: 'http.request.uri.path matches "^/x"' } } } },
    [
      "berth:cloudflare.firewall.rules.odd.expression: has a regular expression, which needs the plan business, got free; " +
        "use contains or wildcard",
    ],
  ],
  [
    "a rule that only logs below the plan enterprise",
    { firewall: { rules: { odd: { action: "log", countries: ["DE"] } } } },
    ['berth:cloudflare.firewall.rules.odd.action: needs the plan enterprise, got "log" on free; use managed_challenge'],
  ],
  [
    "a rule for every request",
    { firewall: { rules: { odd: { action: "block" } } } },
    [
      "berth:cloudflare.firewall.rules.odd: holds for every request; give countries, userAgents, paths or an expression",
    ],
  ],
  [
    "more rules than the plan allows",
    {
      firewall: {
        rules: Object.fromEntries(
          ["a", "b", "c", "d", "e", "f"].map((name) => [name, { action: "block", countries: ["T1"] }]),
        ),
      },
    },
    [
      "berth:cloudflare.firewall.rules: has more rules than the plan free allows, got 6; keep 5, " +
        "see https://developers.cloudflare.com/waf/custom-rules/",
    ],
  ],
  [
    "files kept shorter than the plan allows",
    { cache: { edgeTtl: "1 hour" } },
    ['berth:cloudflare.cache.edgeTtl: is shorter than the plan free allows, got "1 hour"; write at least "2 hours"'],
  ],
  [
    "a header that the edge sends",
    { headers: { "x-frame-options": "DENY" } },
    ["berth:cloudflare.headers.x-frame-options: is sent by the edge already; keep it in one place, the system"],
  ],
  [
    "rules where visitors do not come through Cloudflare",
    { proxied: false, headers: { "X-A": "b" } },
    [
      "berth:cloudflare.headers: does nothing, since visitors do not come through Cloudflare; write proxied: true, or remove it",
    ],
  ],
  [
    "rules of a zone that another stack manages",
    { manages: "records", headers: { "X-A": "b" } },
    ["berth:cloudflare.headers: belongs to the stack that manages the zone; move it there, or write manages: zone"],
  ],
  [
    "a login that lets nobody in, before nothing, of no account",
    { access: {} },
    [
      "berth:cloudflare.access: lets nobody in; name emails or emailDomains",
      'berth:cloudflare.access: protects nothing; give a route of the system access: "operators", or remove it',
      "berth:cloudflare.accountId: is missing; add the account's id, which access needs",
    ],
  ],
  [
    "a load balancer of no account, over one host, that asks too often",
    { loadBalancer: { interval: "10 seconds" } },
    [
      "berth:cloudflare.accountId: is missing; add the account's id, which loadBalancer needs",
      'berth:cloudflare.loadBalancer: has nothing to choose from, got 1 edge host; label another host edge: "true", or remove it',
      'berth:cloudflare.loadBalancer.interval: is not a time that the plan free allows, got "10 seconds"; write "15 seconds" to "1 hour"',
    ],
  ],
  [
    "a load balancer that nobody comes through, and statuses that there are not",
    { proxied: false, accountId: "0".repeat(32), loadBalancer: { expect: "9xx" } },
    [
      "berth:cloudflare.loadBalancer: does nothing, since visitors do not come through Cloudflare; write proxied: true, or remove it",
      'berth:cloudflare.loadBalancer: has nothing to choose from, got 1 edge host; label another host edge: "true", or remove it',
      'berth:cloudflare.loadBalancer.expect: is not a list of statuses, got "9xx"; write for example 200, or 2xx,301',
    ],
  ],
  [
    "the import id of another zone",
    { adopt: { "zone-http_ratelimit": `zones/${"f".repeat(32)}/${"e".repeat(32)}` } },
    [
      `berth:cloudflare.adopt.zone-http_ratelimit: is not of this zone, got "zones/${"f".repeat(32)}/${"e".repeat(32).slice(0, 29)}…; write ` +
        "<zone>/<record>, zones/<zone>/<ruleset> or zones/<zone>/<application>",
    ],
  ],
];

describe("Cloudflare in a stack file", () => {
  for (const [what, more, expected] of cases) {
    it(`rejects ${what}`, () => {
      assert.deepEqual(problems(more), expected);
    });
  }

  it("may be a zone id alone, or all of it where the plan allows it", () => {
    assert.deepEqual(problemsOf(sampleRaw({ "berth:cloudflare": { zoneId } })), []);
    const rateLimits = { api: { requests: 6000, period: "10 minutes", block: "24 hours" } };
    const rules = { odd: { action: "log", expression: 'http.request.uri.path matches "^/x"' } };
    assert.deepEqual(problems({ plan: "enterprise", rateLimits, firewall: { managed: ["owasp"], rules } }), []);
  });
});
