import assert from "node:assert/strict";
import { routesExpression } from "../../components/cloudflare/expression.ts";
import { renderRulesets } from "../../components/cloudflare/rulesets.render.ts";
import { cloudflare } from "../../components/config/cloudflare.ts";
import { site } from "../../components/config/edge.ts";
import { record, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";
const accountId = "fedcba9876543210fedcba9876543210";

async function build(more: object, changes: object = {}): Promise<Recording<unknown>> {
  const config = sampleConfig({ "berth:cloudflare": { zoneId, ...more } });
  return record(async () => {
    const { ZoneRules } = await import("../../components/cloudflare/zone-rules.ts");
    const { FurtherRecords } = await import("../../components/cloudflare/further-records.ts");
    new FurtherRecords("records", { config });
    return new ZoneRules("zone", { config: { ...config, ...changes } });
  });
}

const sites = [
  site.parse({
    host: "shop.test",
    routes: [
      { path: "/", service: "web" },
      { path: "/api/", service: "api", limit: "api" },
      { path: "/api/login", service: "api", limit: "login" },
    ],
  }),
];

describe("routes in Cloudflare's rules language", () => {
  it("are whole segments, and leave longer prefixes to their own routes", () => {
    const api =
      '(http.host eq "shop.test" and (http.request.uri.path eq "/api" or starts_with(http.request.uri.path, "/api/")) and ' +
      'not (http.request.uri.path eq "/api/login" or starts_with(http.request.uri.path, "/api/login/")))';
    assert.equal(
      routesExpression(sites, ({ limit }) => limit === "api"),
      api,
    );
    assert.equal(
      routesExpression(sites, ({ limit }) => limit === "none"),
      undefined,
    );
  });

  it("do not look at hosts where the plan forbids it", () => {
    const rules = (plan: string) =>
      renderRulesets(
        cloudflare.parse({
          zoneId,
          plan,
          rateLimits: { login: { requests: 5, period: "10 seconds", block: "10 seconds" } },
        }),
        sites,
      )["http_ratelimit"]?.[0]?.expression as string;
    assert.ok(!rules("free").includes("http.host"));
    assert.ok(rules("pro").includes('http.host eq "shop.test"'));
  });
});

describe("rulesets", () => {
  const render = (more: object, of = sites) => renderRulesets(cloudflare.parse({ zoneId, ...more }), of);

  it("leave out phases without rules", () => {
    assert.deepEqual(render({}), {});
  });

  it("say all that a rule holds for", () => {
    const odd = {
      action: "block",
      countries: ["KP", "T1"],
      userAgents: ["SQLmap"],
      paths: ["/admin"],
      exceptVerifiedBots: true,
      exceptAddresses: ["192.0.2.0/24"],
    };
    const [one] = render({ firewall: { rules: { odd } } })["http_request_firewall_custom"] ?? [];
    assert.deepEqual(one, {
      ref: "berth-odd",
      description: "odd",
      action: "block",
      enabled: true,
      expression:
        'ip.src.country in {"KP" "T1"} and (lower(http.user_agent) contains "sqlmap") and ' +
        '((http.request.uri.path eq "/admin" or starts_with(http.request.uri.path, "/admin/"))) and ' +
        "not cf.client.bot and not ip.src in {192.0.2.0/24}",
    });
  });

  it("count each address in each data center", () => {
    const limit = { requests: 20, period: "1 minute", block: "1 hour" };
    const [one] = render({ plan: "pro", rateLimits: { login: limit } })["http_ratelimit"] ?? [];
    assert.deepEqual(one?.ratelimit, {
      characteristics: ["cf.colo.id", "ip.src"],
      period: 60,
      requestsPerPeriod: 20,
      mitigationTimeout: 3600,
    });
  });

  it("keep static files and nothing else, as long as the edge says or as the stack does", () => {
    const withFiles = [
      {
        ...sites[0]!,
        routes: [...sites[0]!.routes, { ...sites[0]!.routes[0]!, path: "/static/", cache: "hashed" as const }],
      },
    ];
    const parameters = (more: object) =>
      render(more, withFiles)["http_request_cache_settings"]?.map((rule) => rule.actionParameters);
    assert.deepEqual(parameters({}), [
      { cache: false },
      { cache: true, edgeTtl: { mode: "respect_origin" }, browserTtl: { mode: "respect_origin" } },
    ]);
    assert.deepEqual(parameters({ cache: { edgeTtl: "24 hours" } })?.[1], {
      cache: true,
      edgeTtl: { mode: "override_origin", default: 86_400 },
      browserTtl: { mode: "respect_origin" },
    });
    const [rest, files] = render({}, withFiles)["http_request_cache_settings"] ?? [];
    assert.match(rest?.expression as string, /not \(http\.request\.uri\.path eq "\/static"/);
    assert.match(files?.expression as string, /starts_with\(http\.request\.uri\.path, "\/static\/"\)/);
  });

  it("replace headers rather than send them twice", () => {
    const rules = render({ headers: { "X-Robots-Tag": "none" } })["http_response_headers_transform"] ?? [];
    const shown = rules.map(({ expression, actionParameters }) => [expression, actionParameters]);
    const set = { headers: { "X-Robots-Tag": { operation: "set", value: "none" } } };
    assert.deepEqual(shown, [['http.host in {"shop.test"}', set]]);
  });
});

describe("ZoneRules", () => {
  it("sets a proxied zone strictly", async () => {
    const zone = await build({ proxied: true });
    const value = (setting: string) => zone.get(`zone-${setting}`).inputs["value"];
    assert.deepEqual(
      ["ssl", "min_tls_version", "tls_1_3", "http3", "0rtt", "always_use_https", "browser_cache_ttl"].map(value),
      ["strict", "1.2", "on", "on", "off", "on", 0],
    );
    assert.equal(zone.get("zone-tiered-cache").inputs["value"], "on");
    const rulesets = zone.resources.filter(({ type }) => type.includes("Ruleset")).map(({ name }) => name);
    assert.deepEqual(rulesets, ["zone-http_request_cache_settings"], "palmistry has files that are kept");
    assert.ok(!zone.resources.some(({ type }) => type.includes("zone:Zone")));
  });

  for (const [what, more] of [
    ["is not proxied", {}],
    ["another stack manages", { proxied: true, manages: "records" }],
  ] as const) {
    it(`leaves a zone alone that ${what}`, async () => {
      assert.deepEqual((await build(more)).names(), [
        "records berth:cloudflare:FurtherRecords",
        "zone berth:cloudflare:ZoneRules",
      ]);
    });
  }

  it("has one ruleset for a phase", async () => {
    const headers = { "X-A": "b", "X-C": "d" };
    const ruleset = (await build({ proxied: true, headers })).get("zone-http_response_headers_transform");
    assert.deepEqual(
      [ruleset.inputs["kind"], ruleset.inputs["phase"], ruleset.inputs["zoneId"]],
      ["zone", "http_response_headers_transform", zoneId],
    );
  });

  it("takes over what exists as it is", async () => {
    const id = `zones/${zoneId}/${"e".repeat(32)}`;
    const adopt = { "zone-http_response_headers_transform": id };
    const ruleset = (await build({ proxied: true, headers: { "X-A": "b" }, adopt })).get(
      "zone-http_response_headers_transform",
    );
    assert.deepEqual(ruleset.ignoreChanges, ["*"]);
  });

  it("never renames a ruleset, which would make another one of a phase that has one", async () => {
    const ruleset = (await build({ proxied: true, headers: { "X-A": "b" } })).get(
      "zone-http_response_headers_transform",
    );
    assert.deepEqual(ruleset.ignoreChanges, ["name"]);
  });

  it("explains the refusals of all that it makes", async () => {
    const records = [{ type: "TXT", name: "${domain}", text: "x" }];
    const zone = await build({ proxied: true, headers: { "X-A": "b" }, records });
    const unexplained = zone.resources.filter(
      ({ type, onError }) => type.startsWith("cloudflare:") && onError.length === 0,
    );
    assert.deepEqual(unexplained, []);
  });

  it("asks operators to log in before their routes", async () => {
    const { system } = sampleConfig();
    const [first, ...others] = system.edge.sites;
    const routes = [...first!.routes, { ...first!.routes[0]!, path: "/admin/", access: "operators" as const }];
    const changed = { ...system, edge: { ...system.edge, sites: [{ ...first!, routes }, ...others] } };
    const { config } = { config: sampleConfig({ "berth:cloudflare": { zoneId, accountId, proxied: true } }) };
    assert.ok(config.cloudflare !== "none");
    const access = cloudflare.shape.access.parse({ emailDomains: ["palmistry.test"] });
    const zone = await build({ proxied: true }, { system: changed, cloudflare: { ...config.cloudflare, access } });
    const application = zone.get("zone-access-palmistry.test").inputs;
    assert.deepEqual(application["destinations"], [{ type: "public", uri: "palmistry.test/admin" }]);
    assert.deepEqual(application["policies"], [{ id: "zone-access-policy-id", precedence: 1 }]);
    assert.equal(application["sessionDuration"], "12h");
    assert.deepEqual(zone.get("zone-access-policy").inputs["includes"], [
      { emailDomain: { domain: "palmistry.test" } },
    ]);
  });
});

describe("FurtherRecords", () => {
  it("are made of what the stack file lists, by full names", async () => {
    const records = [
      { type: "CNAME", name: "www.${domain}", target: "${domain}", proxied: true },
      { type: "TXT", name: "${domain}", text: 'v=spf1 include:mail.test -all "x"' },
      { type: "MX", name: "${domain}", server: "mx1.mail.test", priority: 10 },
      { type: "MX", name: "${domain}", server: "mx2.mail.test", priority: 20, ttl: 3600 },
      { type: "CAA", name: "${domain}", value: "letsencrypt.org" },
    ];
    const zone = await build({ records });
    const made = (name: string) => zone.get(`records-${name}`).inputs;
    const common = { zoneId, name: "palmistry.test", ttl: 300 };
    assert.deepEqual(made("cname-www.palmistry.test"), {
      ...common,
      name: "www.palmistry.test",
      type: "CNAME",
      content: "palmistry.test",
      proxied: true,
      ttl: 1,
    });
    assert.equal(made("txt-palmistry.test")["content"], '"v=spf1 include:mail.test -all \\"x\\""');
    assert.deepEqual(made("mx-palmistry.test"), { ...common, type: "MX", content: "mx1.mail.test", priority: 10 });
    assert.equal(made("mx-palmistry.test-2")["ttl"], 3600);
    const data = { flags: 0, tag: "issue", value: "letsencrypt.org" };
    assert.deepEqual(made("caa-palmistry.test"), { ...common, type: "CAA", data });
  });
});
