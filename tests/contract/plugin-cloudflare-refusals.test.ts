import assert from "node:assert/strict";
import type { Client } from "../../lab/plugins/cloudflare/client.ts";
import type { Context } from "../../lab/plugins/framework/types.ts";
import type { TestCloudflare } from "../support/cloudflare.ts";
import { unknown } from "../../lab/plugins/framework/types.ts";
import {
  accountId,
  block,
  cached,
  check,
  diff,
  headers,
  redirect,
  ruleset,
  StandIn,
  typeOf,
  zoneId,
} from "../support/stand-in-cloudflare.ts";

describe("the cloudflare stand-in: what it refuses", () => {
  let standIn: StandIn;
  let lab: TestCloudflare;
  let context: Context<Client>;
  before(async () => {
    standIn = await StandIn.start();
    ({ lab } = standIn);
  });
  after(() => standIn.stop());
  beforeEach(() => {
    ({ context } = standIn);
  });
  afterEach(() => lab.tokens(lab.token));

  for (const [title, name, inputs, property, reason] of [
    ["an unknown input", "Ruleset", { ...ruleset, mode: "x" }, "mode", /unknown property/],
    ["both zone and account", "Ruleset", { ...ruleset, accountId }, "zoneId", /exactly one of accountId and zoneId/],
    [
      "neither zone nor account",
      "AccessRule",
      { mode: "block", configuration: { target: "ip", value: "192.0.2.1" } },
      "zoneId",
      /exactly one/,
    ],
    [
      "parameters of another action",
      "Ruleset",
      { ...ruleset, rules: [{ ...block, actionParameters: { cache: true } }] },
      "rules[0].actionParameters.cache",
      /can only be set if "action" is one of: "set_cache_settings"/,
    ],
    ["a rule's id", "Ruleset", { ...ruleset, rules: [{ ...block, id: "0".repeat(32) }] }, "rules[0].id", /read-only/],
    [
      "what the stand-in lacks",
      "Ruleset",
      { ...ruleset, rules: [{ ...block, actionParameters: { polish: "off" } }] },
      "rules[0].actionParameters.polish",
      /not part of the stand-in/,
    ],
    [
      "an unknown action",
      "Ruleset",
      { ...ruleset, rules: [{ ...block, action: "deny" }] },
      "rules[0].action",
      /expected one of/,
    ],
    [
      "a status out of range",
      "Ruleset",
      {
        ...ruleset,
        rules: [
          { ...block, actionParameters: { response: { statusCode: 302, content: "x", contentType: "text/plain" } } },
        ],
      },
      "rules[0].actionParameters.response.statusCode",
      /must be between 400 and 499, got 302/,
    ],
    ["a zone that is none", "Ruleset", { ...ruleset, zoneId: "palmistry.test" }, "zoneId", /must match/],
    [
      "an odd validity",
      "OriginCaCertificate",
      { csr: "x", hostnames: ["a.test"], requestType: "origin-ecc", requestedValidity: 60 },
      "requestedValidity",
      /expected one of 7, 30/,
    ],
    [
      "a short IPv6 address",
      "AccessRule",
      { zoneId, mode: "block", configuration: { target: "ip6", value: "2001:db8::1" } },
      "configuration.value",
      /long form/,
    ],
    [
      "an odd range",
      "AccessRule",
      { zoneId, mode: "block", configuration: { target: "ip_range", value: "192.0.2.0/25" } },
      "configuration.value",
      /only 16, 24 are allowed/,
    ],
    [
      "a weight above one",
      "LoadBalancerPool",
      { accountId, name: "p", origins: [{ name: "a", address: "192.0.2.1", weight: 2 }] },
      "origins[0].weight",
      /between 0 and 1/,
    ],
    [
      "another type of application",
      "ZeroTrustAccessApplication",
      { accountId, type: "saas", name: "x" },
      "type",
      /expected one of self_hosted/,
    ],
    [
      "destinations twice over",
      "ZeroTrustAccessApplication",
      { accountId, destinations: [], selfHostedDomains: [] },
      "destinations",
      /together/,
    ],
  ] as const)
    it(`refuses ${title} before any call`, () => {
      const failures = check(name, inputs);
      assert.deepEqual(
        failures.map((failure) => failure.property),
        [property],
      );
      assert.match(failures[0]?.reason ?? "", reason);
    });

  it("accepts values that only the update brings, and counts them as changes", async () => {
    const { id, outputs } = await typeOf("LoadBalancerPool").create(
      { accountId, name: "p", origins: [{ name: "a", address: "192.0.2.1" }] },
      context,
    );
    const news = { accountId, name: "p", origins: [{ name: "a", address: "192.0.2.1" }], monitor: unknown };
    assert.deepEqual(check("LoadBalancerPool", news), []);
    assert.deepEqual(diff("LoadBalancerPool", outputs, news).changes, ["monitor"]);
    await typeOf("LoadBalancerPool").delete(id, outputs, context);
  });

  for (const [name, inputs, message] of [
    ["Ruleset", ruleset, /POST ".*rulesets": 403 .*needs the permission \\"Zone WAF Write\\"/],
    ["Ruleset", { ...ruleset, phase: "http_request_cache_settings", rules: [cached] }, /\\"Cache Settings Write\\"/],
    [
      "Ruleset",
      { ...ruleset, phase: "http_response_headers_transform", rules: [headers("DENY")] },
      /\\"Zone Transform Rules Write\\"/,
    ],
    [
      "Ruleset",
      { ...ruleset, phase: "http_request_dynamic_redirect", rules: [redirect] },
      /\\"Dynamic URL Redirects Write\\"/,
    ],
    [
      "LoadBalancerPool",
      { accountId, name: "p", origins: [{ name: "a", address: "192.0.2.1" }] },
      /\\"Load Balancing: Monitors and Pools Write\\"/,
    ],
    [
      "LoadBalancer",
      { zoneId, name: "lb.palmistry.test", defaultPools: ["x"], fallbackPool: "x" },
      /\\"Load Balancers Write\\"/,
    ],
    [
      "OriginCaCertificate",
      { csr: "x", hostnames: ["palmistry.test"], requestType: "origin-ecc" },
      /\\"SSL and Certificates Write\\"/,
    ],
    ["AuthenticatedOriginPullsSettings", { zoneId, enabled: true }, /\\"SSL and Certificates Write\\"/],
    ["TieredCache", { zoneId, value: "on" }, /PATCH .*\\"Zone Settings Write\\"/],
    [
      "AccessRule",
      { zoneId, mode: "block", configuration: { target: "ip", value: "192.0.2.1" } },
      /\\"Firewall Services Write\\"/,
    ],
    ["BotManagement", { zoneId, enableJs: true }, /PUT .*\\"Bot Management Write\\"/],
    [
      "ZeroTrustAccessPolicy",
      { accountId, name: "p", decision: "allow", includes: [{ everyone: {} }] },
      /\\"Access: Apps and Policies Write\\"/,
    ],
    ["ZeroTrustAccessServiceToken", { accountId, name: "p" }, /\\"Access: Service Tokens Write\\"/],
  ] as const)
    it(`repeats the service's words for a token that lacks a permission: ${message.source}`, async () => {
      await lab.tokens(`${lab.token} Zone Read`);
      await assert.rejects(typeOf(name).create(inputs, context), message);
      await lab.tokens(lab.token);
      for (const status of [401, 429, 500]) {
        const path = status === 429 ? "" : "/";
        await lab.order({ status, path });
        await assert.rejects(
          typeOf(name).create(inputs, context),
          new RegExp(`failed to make http request: .*: ${status} `),
        );
      }
    });
});
