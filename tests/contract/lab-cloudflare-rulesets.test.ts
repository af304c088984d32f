import assert from "node:assert/strict";
import type { Plan } from "../../lab/cloudflare/plans.ts";
import { TestCloudflare, type Answer } from "../support/cloudflare.ts";

interface Ruleset {
  readonly id: string;
  readonly version: string;
  readonly rules: readonly { readonly id: string; readonly ref: string; readonly version: string }[];
}

const block = { ref: "probe", action: "block", expression: '(http.request.uri.path eq "/wp-login.php")' };
const limit = {
  ref: "login",
  action: "block",
  expression: '(http.request.uri.path eq "/login")',
  ratelimit: {
    characteristics: ["cf.colo.id", "ip.src"],
    period: 60,
    requests_per_period: 20,
    mitigation_timeout: 600,
  },
};
const cache = {
  ref: "assets",
  action: "set_cache_settings",
  expression: 'starts_with(http.request.uri.path, "/assets/")',
  action_parameters: { cache: true, edge_ttl: { mode: "override_origin", default: 86_400 } },
};
const headers = {
  ref: "headers",
  action: "rewrite",
  expression: "true",
  action_parameters: { headers: { "X-Frame-Options": { operation: "set", value: "DENY" } } },
};
const redirect = {
  ref: "www",
  action: "redirect",
  expression: '(http.host eq "www.palmistry.test")',
  action_parameters: {
    from_value: {
      status_code: 301,
      target_url: { expression: 'concat("https://palmistry.test", http.request.uri.path)' },
      preserve_query_string: true,
    },
  },
};
const managed = {
  ref: "managed",
  action: "execute",
  expression: "true",
  action_parameters: { id: "efb7b8c949ac4650a09736fc376e9aee", overrides: { enabled: true, action: "log" } },
};

describe("the lab's Cloudflare: rulesets", () => {
  let lab: TestCloudflare;
  before(async () => {
    lab = await TestCloudflare.start();
  });
  after(() => lab.stop());
  const call = (method: string, below: string, body?: unknown): Promise<Answer> =>
    lab.call(method, `/zones/${lab.zone.id}/rulesets${below}`, body);
  const ruleset = (phase: string, ...rules: unknown[]) => ({ kind: "zone", name: "berth", phase, rules });
  afterEach(async () => {
    await lab.tokens(lab.token);
    const all = (await call("GET", "")).result as { id: string; kind: string }[];
    for (const { id, kind } of all) if (kind === "zone") await call("DELETE", `/${id}`);
    if (lab.plan !== "business") await lab.restart("business");
  });

  for (const [phase, rule] of [
    ["http_request_firewall_custom", block],
    ["http_request_firewall_managed", managed],
    ["http_ratelimit", limit],
    ["http_request_cache_settings", cache],
    ["http_response_headers_transform", headers],
    ["http_request_dynamic_redirect", redirect],
  ] as const)
    it(`keeps a rule of ${phase} over a restart and finds it as the entry point`, async () => {
      const made = await call("POST", "", ruleset(phase, rule));
      assert.deepEqual([made.status, made.errors], [200, []]);
      await lab.restart();
      const { id, rules, version } = (await call("GET", `/phases/${phase}/entrypoint`)).result as Ruleset;
      assert.deepEqual([id, version], [(made.result as Ruleset).id, "1"]);
      assert.equal(rules[0]?.ref, rule.ref);
      assert.equal((await call("DELETE", `/${id}`)).status, 200);
      assert.equal((await call("GET", `/${id}`)).errors[0]?.code, 10_003);
    });

  it("refuses a second ruleset of a phase, pointing at the kind", async () => {
    await call("POST", "", ruleset("http_ratelimit", limit));
    const { status, errors } = await call("POST", "", ruleset("http_ratelimit", limit));
    const why = "exceeded maximum number of zone rulesets for phase http_ratelimit";
    const message = `'zone' is not a valid value for kind because ${why}`;
    assert.deepEqual([status, errors], [400, [{ code: 20_217, message, source: { pointer: "/kind" } }]]);
  });

  it("keeps a rule's id as long as its ref stays, and counts versions", async () => {
    const { id, rules } = (await call("POST", "", ruleset("http_request_firewall_custom", block))).result as Ruleset;
    const other = { ...block, ref: "other", expression: "ssl" };
    const changed = (await call("PUT", `/${id}`, { rules: [other, { ...block, enabled: false }] })).result as Ruleset;
    assert.equal(changed.version, "2");
    assert.equal(changed.rules[1]?.id, rules[0]?.id);
    assert.notEqual(changed.rules[0]?.id, rules[0]?.id);
    const { ref: _, ...nameless } = block;
    const first = (await call("PUT", `/${id}`, { rules: [nameless] })).result as Ruleset;
    const second = (await call("PUT", `/${id}`, { rules: [nameless] })).result as Ruleset;
    assert.notEqual(second.rules[0]?.id, first.rules[0]?.id, "a rule without ref is a new one each time");
  });

  it("says that a phase has no entry point, and makes one by PUT", async () => {
    const missing = await call("GET", "/phases/http_ratelimit/entrypoint");
    const message = "could not find entrypoint ruleset in the http_ratelimit phase";
    assert.deepEqual([missing.status, missing.errors], [404, [{ code: 10_003, message }]]);
    const made = await call("PUT", "/phases/http_ratelimit/entrypoint", { rules: [limit] });
    assert.equal((made.result as { kind: string }).kind, "zone");
  });

  const changedLimit = (change: object) => ({ ...limit, ratelimit: { ...limit.ratelimit, ...change } });
  const parameters = (rule: { action_parameters: object }, change: object) => ({ ...rule, action_parameters: change });
  for (const [title, phase, rule, code, message] of [
    ["another phase's action", "http_ratelimit", { ...limit, action: "skip" }, 20_016, /'skip'.* http_ratelimit/],
    ["a blank expression", "http_request_firewall_custom", { ...block, expression: " " }, 20_125, /cannot be blank/],
    [
      "an unknown field in an expression",
      "http_request_firewall_custom",
      { ...block, expression: '(http.request.path eq "/")' },
      20_127,
      /Filter parsing error \(1:2\):\n\(http\.request\.path eq "\/"\)\n \^{17} unknown identifier/,
    ],
    ["an open bracket", "http_request_firewall_custom", { ...block, expression: "(ssl" }, 20_127, /expected "\)"/],
    [
      "a field of the answer",
      "http_request_firewall_custom",
      { ...block, expression: "http.response.code eq 404" },
      20_127,
      /unknown/,
    ],
    ["no colocation", "http_ratelimit", changedLimit({ characteristics: ["ip.src"] }), 20_155, /missing 'cf.colo.id'/],
    [
      "a period in between",
      "http_ratelimit",
      changedLimit({ period: 25 }),
      20_120,
      /not entitled to use the period 25, can only use a period among \[10 15 20 30 40 45 60 90 120 180 240 300 480 600\]/,
    ],
    [
      "a field that the plan's limits may not look at",
      "http_ratelimit",
      { ...limit, expression: 'any(http.request.headers["x-a"][*] eq "http.cookie")' },
      20_120,
      /not entitled to use the field http\.request\.headers in the phase http_ratelimit/,
    ],
    ["a rule without a limit", "http_ratelimit", { ...block }, 20_150, /ratelimit is required/],
    ["a limit elsewhere", "http_request_firewall_custom", { ...limit }, 20_150, /not allowed in phase/],
    [
      "parameters of another action",
      "http_request_firewall_custom",
      { ...block, action_parameters: { cache: true } },
      20_021,
      /cache: not allowed for action block/,
    ],
    [
      "a response that is no error",
      "http_request_firewall_custom",
      { ...block, action_parameters: { response: { status_code: 200, content: "x", content_type: "text/plain" } } },
      20_021,
      /status_code/,
    ],
    [
      "an unknown managed ruleset",
      "http_request_firewall_managed",
      parameters(managed, { id: "0".repeat(32) }),
      20_021,
      /could not find ruleset 0+/,
    ],
    [
      "a TTL without its mode",
      "http_request_cache_settings",
      parameters(cache, { cache: true, edge_ttl: { mode: "respect_origin", default: 60 } }),
      20_021,
      /only allowed for mode override_origin/,
    ],
    [
      "a mode without its TTL",
      "http_request_cache_settings",
      parameters(cache, { cache: true, edge_ttl: { mode: "override_origin" } }),
      20_021,
      /default is required/,
    ],
    [
      "a header without value",
      "http_response_headers_transform",
      parameters(headers, { headers: { "X-A": { operation: "set" } } }),
      20_021,
      /must have either value or expression/,
    ],
    [
      "a header removed with a value",
      "http_response_headers_transform",
      parameters(headers, { headers: { "X-A": { operation: "remove", value: "x" } } }),
      20_021,
      /takes no value/,
    ],
    [
      "a reserved header",
      "http_response_headers_transform",
      parameters(headers, { headers: { "cf-ray": { operation: "remove" } } }),
      20_021,
      /reserved/,
    ],
    [
      "a redirect of a status of its own",
      "http_request_dynamic_redirect",
      parameters(redirect, { from_value: { status_code: 300, target_url: { value: "https://a.test" } } }),
      20_021,
      /status_code/,
    ],
    [
      "an expression that makes no text",
      "http_request_dynamic_redirect",
      parameters(redirect, { from_value: { target_url: { expression: "ip.src" } } }),
      20_021,
      /expected value of type Bytes/,
    ],
    [
      "a field that no rule has",
      "http_request_firewall_custom",
      { ...block, priority: 1 },
      20_021,
      /priority: unknown field/,
    ],
    [
      "a log rule below enterprise",
      "http_request_firewall_custom",
      { ...block, action: "log" },
      20_119,
      /not entitled to use the log action/,
    ],
  ] as const)
    it(`refuses ${title}`, async () => {
      const { status, errors } = await call("POST", "", ruleset(phase, rule));
      assert.deepEqual([status, errors[0]?.code], [400, code], JSON.stringify(errors));
      assert.match(errors[0]?.message ?? "", message);
    });

  it("refuses two rules with one ref, and a phase or kind it does not know", async () => {
    assert.match(
      (await call("POST", "", ruleset("http_request_firewall_custom", block, block))).errors[0]?.message ?? "",
      /unique refs/,
    );
    assert.equal((await call("POST", "", ruleset("http_magic", block))).errors[0]?.code, 20_115);
    const custom = { ...ruleset("http_ratelimit", limit), kind: "custom" };
    assert.match((await call("POST", "", custom)).errors[0]?.message ?? "", /'custom' is not a valid value for kind/);
  });

  for (const [plan, phase, rules, code, message] of [
    [
      "free",
      "http_ratelimit",
      [changedLimit({ period: 10, mitigation_timeout: 60 })],
      20_120,
      /not entitled to use a mitigation timeout different from 10/,
    ],
    [
      "free",
      "http_ratelimit",
      [limit, { ...limit, ref: "b" }],
      50_001,
      /exceeded the maximum number of rules in the phase http_ratelimit: 2 out of 1/,
    ],
    ["free", "http_request_firewall_managed", [managed], 20_021, /not entitled to execute the ruleset/],
    [
      "pro",
      "http_request_firewall_custom",
      [{ ...block, expression: 'http.host matches "a+"' }],
      20_127,
      /a Business plan is required/,
    ],
    [
      "pro",
      "http_request_cache_settings",
      [parameters(cache, { cache: true, edge_ttl: { mode: "override_origin", default: 60 } })],
      20_021,
      /must be at least 3600/,
    ],
  ] as const satisfies readonly (readonly [Plan, string, readonly unknown[], number, RegExp])[])
    it(`refuses what the ${plan} plan does not have: ${message.source}`, async () => {
      await lab.restart(plan);
      const { errors } = await call("POST", "", ruleset(phase, ...rules));
      assert.equal(errors[0]?.code, code, JSON.stringify(errors));
      assert.match(errors[0].message, message);
    });

  it("asks for the permission of the phase, and names it on top of Cloudflare's own words", async () => {
    await lab.tokens(`${lab.token} Zone WAF Write, Cache Settings Read`);
    assert.equal((await call("POST", "", ruleset("http_ratelimit", limit))).status, 200);
    const refused = await call("POST", "", ruleset("http_request_cache_settings", cache));
    assert.deepEqual([refused.status, refused.errors], [403, [{ code: 10_000, message: "Authentication error" }]]);
    assert.match(JSON.stringify(refused.messages), /needs the permission \\"Cache Settings Write\\"/);
    assert.equal((await call("GET", "/phases/http_request_cache_settings/entrypoint")).status, 404);
    assert.equal((await call("GET", "/phases/http_response_headers_transform/entrypoint")).status, 403);
  });
});
