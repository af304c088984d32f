import assert from "node:assert/strict";
import { labAccount } from "../../lab/cloudflare/store.ts";
import { TestCloudflare, type Answer } from "../support/cloudflare.ts";

describe("the lab's Cloudflare: what else zones and accounts have", () => {
  let lab: TestCloudflare;
  before(async () => {
    lab = await TestCloudflare.start();
  });
  after(() => lab.stop());
  afterEach(() => lab.tokens(lab.token));
  const zone = (method: string, below: string, body?: unknown): Promise<Answer> =>
    lab.call(method, `/zones/${lab.zone.id}/${below}`, body);
  const account = (method: string, below: string, body?: unknown): Promise<Answer> =>
    lab.call(method, `/accounts/${labAccount.id}/${below}`, body);
  const id = (answer: Answer): string => (answer.result as { id: string }).id;

  describe("purges", () => {
    for (const [title, body] of [
      ["everything", { purge_everything: true }],
      ["URLs", { files: ["https://palmistry.test/app.css", { url: "https://www.palmistry.test/app.js" }] }],
      ["prefixes", { prefixes: ["www.palmistry.test/assets"] }],
      ["tags", { tags: ["release-7"] }],
      ["hosts", { hosts: ["www.palmistry.test"] }],
    ] as const)
      it(`takes ${title} and tells afterwards what was purged`, async () => {
        const { status, result } = await zone("POST", "purge_cache", body);
        assert.deepEqual([status, result], [200, { id: lab.zone.id }]);
        const { purges } = (await (await fetch(`${lab.origin}/lab/purges`)).json()) as { purges: { id: string }[] };
        const { id: _, ...last } = purges.at(-1)!;
        assert.deepEqual(last, { ...body, zone: lab.zone.name });
      });

    for (const [title, body] of [
      ["nothing", {}],
      ["two kinds at once", { tags: ["a"], hosts: ["palmistry.test"] }],
      ["a no", { purge_everything: false }],
      ["another's URL", { files: ["https://example.com/app.css"] }],
      ["a path alone", { files: ["/app.css"] }],
      ["a prefix with its scheme", { prefixes: ["https://palmistry.test/assets"] }],
      ["another's prefix", { prefixes: ["example.com/assets"] }],
      ["more than a hundred URLs", { files: Array.from({ length: 101 }, (_, n) => `https://palmistry.test/${n}`) }],
    ] as const)
      it(`refuses ${title}`, async () => {
        assert.equal((await zone("POST", "purge_cache", body)).status, 400);
      });

    it("asks for a permission of its own", async () => {
      await lab.tokens(`${lab.token} Zone Settings Write, Cache Settings Write`);
      assert.equal((await zone("POST", "purge_cache", { purge_everything: true })).status, 403);
      await lab.tokens(`${lab.token} Cache Purge`);
      assert.equal((await zone("POST", "purge_cache", { purge_everything: true })).status, 200);
    });
  });

  describe("load balancing", () => {
    const origin = { name: "a", address: "192.0.2.1" };
    for (const [title, body, message] of [
      [
        "an interval that the plan does not have",
        { expected_codes: "200", interval: 5 },
        /interval is not in range \[15, 3600\]/,
      ],
      ["no codes", { type: "https" }, /expected_codes is required/],
      ["no port", { type: "tcp" }, /port is required/],
      ["a method that no monitor has", { expected_codes: "200", method: "POST" }, /method "POST" is not allowed/],
      ["a path that is none", { expected_codes: "200", path: "up" }, /path must start with \//],
      ["probes that overlap", { expected_codes: "200", interval: 15, timeout: 10 }, /interval is too short/],
    ] as const)
      it(`refuses a monitor with ${title}`, async () => {
        const { status, errors } = await account("POST", "load_balancers/monitors", body);
        assert.deepEqual([status, errors[0]?.code], [400, 1002]);
        assert.match(errors[0]!.message, message);
        assert.match(errors[0]!.message, /: validation failed$/);
      });

    for (const [title, body, message] of [
      ["no origin", { name: "p", origins: [] }, /origin list length/],
      ["an origin twice", { name: "p", origins: [origin, { ...origin, name: "b" }] }, /addresses must be unique/],
      ["a monitor that is not there", { name: "p", origins: [origin], monitor: "x" }, /monitor "x" not found/],
      [
        "another's Host",
        { name: "p", origins: [{ ...origin, header: { Host: ["example.com"] } }] },
        /Host header "example.com" not allowed/,
      ],
      ["a name with blanks", { name: "my pool", origins: [origin] }, /name may have/],
    ] as const)
      it(`refuses a pool with ${title}`, async () => {
        const { status, errors } = await account("POST", "load_balancers/pools", body);
        assert.deepEqual([status, errors[0]?.code], [400, 1002]);
        assert.match(errors[0]!.message, message);
      });

    it("refuses a balancer outside the zone, without its pool, or sticky without being proxied", async () => {
      const pool = id(await account("POST", "load_balancers/pools", { name: "edge", origins: [origin] }));
      const body = { name: "lb.palmistry.test", default_pools: [pool], fallback_pool: pool };
      for (const [change, message] of [
        [{ name: "lb.example.com" }, /does not belong to zone/],
        [{ fallback_pool: "0".repeat(32) }, /pool "0+" not found/],
        [{ session_affinity: "cookie" }, /requires proxied/],
        [{ proxied: true, ttl: 60 }, /ttl must not be set/],
      ] as const)
        assert.match((await zone("POST", "load_balancers", { ...body, ...change })).errors[0]?.message ?? "", message);
      const made = await zone("POST", "load_balancers", body);
      assert.deepEqual([made.status, (made.result as { ttl: number }).ttl], [200, 30]);
      assert.match((await zone("POST", "load_balancers", body)).errors[0]?.message ?? "", /already exists/);
      assert.equal((await account("DELETE", `load_balancers/pools/${pool}`)).status, 412);
      await zone("DELETE", `load_balancers/${id(made)}`);
      assert.equal((await account("DELETE", `load_balancers/pools/${pool}`)).status, 200);
    });
  });

  describe("access rules", () => {
    const rule = (target: string, value: string) => ({ mode: "block", configuration: { target, value } });
    for (const [target, value] of [
      ["ip", "192.0.2.300"],
      ["ip_range", "192.0.2.0/25"],
      ["country", "Germany"],
      ["asn", "64496"],
      ["ip6", "2001:db8::1"],
    ] as const)
      it(`refuses ${value} as ${target}`, async () => {
        const { status, errors } = await zone("POST", "firewall/access_rules/rules", rule(target, value));
        assert.deepEqual([status, /validation_error/.test(errors[0]?.message ?? "")], [400, true]);
      });

    it("refuses the same rule twice, and another target for one that is there", async () => {
      const made = await zone("POST", "firewall/access_rules/rules", rule("asn", "AS64496"));
      const again = await zone("POST", "firewall/access_rules/rules", { ...rule("asn", "AS64496"), mode: "challenge" });
      assert.deepEqual(again.errors, [{ code: 10_009, message: "firewallaccessrules.api.duplicate_of_existing" }]);
      const moved = await zone("PATCH", `firewall/access_rules/rules/${id(made)}`, rule("asn", "AS64497"));
      assert.match(moved.errors[0]?.message ?? "", /configuration cannot be changed/);
    });
  });

  describe("Access", () => {
    const policy = { name: "team", decision: "allow", include: [{ email_domain: { domain: "palmistry.test" } }] };
    const app = { type: "self_hosted", name: "admin", domain: "admin.palmistry.test" };
    for (const [title, path, body, message] of [
      ["a policy for nobody", "access/policies", { ...policy, include: [] }, /at least one rule/],
      [
        "two selectors in one",
        "access/policies",
        { ...policy, include: [{ everyone: {}, ip: { ip: "192.0.2.1" } }] },
        /exactly one selector/,
      ],
      [
        "an identity that is not asked for",
        "access/policies",
        { ...policy, decision: "bypass" },
        /cannot have identity-based rules/,
      ],
      [
        "a token that is not there",
        "access/policies",
        { ...policy, include: [{ service_token: { token_id: "x" } }] },
        /service token x does not exist/,
      ],
      [
        "an application nowhere",
        "access/apps",
        { type: "self_hosted", name: "x" },
        /domain or destinations are required/,
      ],
      ["an application elsewhere", "access/apps", { ...app, domain: "example.com" }, /does not belong to zone/],
      ["another type", "access/apps", { ...app, type: "saas" }, /not part of the lab/],
    ] as const)
      it(`refuses ${title}`, async () => {
        const { status, errors } = await account("POST", path, body);
        assert.deepEqual([status, errors[0]?.code], [400, 12_130]);
        assert.match(errors[0]!.message, message);
      });

    it("shows an application its policies as a whole, and refuses two at one place", async () => {
      const made = id(await account("POST", "access/policies", policy));
      const two = [
        { id: made, precedence: 1 },
        { id: made, precedence: 1 },
      ];
      assert.match(
        (await account("POST", "access/apps", { ...app, policies: two })).errors[0]?.message ?? "",
        /precedences must be unique/,
      );
      const answer = await account("POST", "access/apps", { ...app, policies: [{ id: made, precedence: 1 }] });
      const shown = answer.result as { policies: { name: string; decision: string }[]; self_hosted_domains: string[] };
      assert.deepEqual(
        shown.policies.map(({ name, decision }) => [name, decision]),
        [["team", "allow"]],
      );
      assert.deepEqual(shown.self_hosted_domains, [app.domain]);
    });
  });

  describe("bots and caches", () => {
    it("has the fields of the plan only", async () => {
      assert.equal((await zone("PUT", "bot_management", { fight_mode: true })).status, 403);
      await lab.restart("free");
      try {
        assert.equal((await zone("PUT", "bot_management", { fight_mode: true })).status, 200);
        assert.equal((await zone("PUT", "bot_management", { sbfm_verified_bots: "block" })).status, 403);
      } finally {
        await lab.restart("business");
      }
    });

    it("keeps a switch over a restart, and puts only the removable one back", async () => {
      const smart = "cache/tiered_cache_smart_topology_enable";
      await zone("PATCH", smart, { value: "on" });
      await lab.restart();
      assert.equal(((await zone("GET", smart)).result as { value: string }).value, "on");
      await zone("DELETE", smart);
      assert.equal(((await zone("GET", smart)).result as { value: string }).value, "off");
      assert.equal((await zone("DELETE", "argo/tiered_caching")).status, 405);
      assert.equal((await zone("PATCH", smart, { value: true })).errors[0]?.code, 9207);
      assert.equal((await zone("PATCH", "cache/regional_tiered_cache", { value: "on" })).status, 403);
    });
  });

  it("answers what certbot's DNS plugin asks, and serves the challenge", async () => {
    const name = "_acme-challenge.palmistry.test";
    const zones = await lab.call("GET", `/zones?name=${lab.zone.name}&per_page=1`);
    assert.equal((zones.result as { id: string }[])[0]?.id, lab.zone.id);
    for (const guess of [name, "test"])
      assert.deepEqual((await lab.call("GET", `/zones?name=${guess}&per_page=1`)).result, []);
    const values = ["challenge-one", "challenge-two"];
    for (const content of values)
      assert.equal((await lab.records("POST", "", { type: "TXT", name, content, ttl: 120 })).status, 200);
    assert.deepEqual((await lab.resolver().resolveTxt(name)).flat().sort(), values);
    for (const content of values) {
      const query = new URLSearchParams({ type: "TXT", name, content, per_page: "1" });
      const found = await lab.records("GET", `?${query.toString()}`);
      assert.equal((found.result as unknown[]).length, 1);
      assert.equal((await lab.records("DELETE", `/${(found.result as { id: string }[])[0]?.id ?? ""}`)).status, 200);
    }
    await assert.rejects(lab.resolver().resolveTxt(name), { code: "ENOTFOUND" });
  });

  it("keeps callers waiting and cuts them off on order", async () => {
    const started = Date.now();
    await lab.order({ path: "/rulesets", stallMs: 300 });
    assert.equal((await zone("GET", "rulesets")).status, 200);
    assert.ok(Date.now() - started >= 290);
    await lab.order({ path: "/rulesets", stallMs: 50, status: 504 });
    assert.equal((await zone("GET", "rulesets")).status, 504);
    await lab.order({ method: "POST", path: "/purge_cache", hangUp: true });
    await assert.rejects(zone("POST", "purge_cache", { purge_everything: true }), /fetch failed/);
    assert.equal((await zone("POST", "purge_cache", { purge_everything: true })).status, 200);
  });
});
