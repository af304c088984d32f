import assert from "node:assert/strict";
import * as cloudflare from "@pulumi/cloudflare";
import type { Client } from "../../lab/plugins/cloudflare/client.ts";
import { plugin } from "../../lab/plugins/cloudflare/plugin.ts";
import type { Context, Properties, ResourceType } from "../../lab/plugins/framework/types.ts";
import type { TestCloudflare } from "../support/cloudflare.ts";
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

interface Case {
  readonly name: string;
  readonly inputs: Properties;
  /** An update in place, and the paths that its preview shows. */
  readonly change?: readonly [news: Properties, ...paths: string[]];
  /** Inputs that make another one. */
  readonly replaces?: Properties;
  readonly importId: (id: string) => string;
  /** What the service keeps after the end. */
  readonly stays?: true;
  /** What an import cannot know. */
  readonly untold?: readonly string[];
}

const inAccount = (id: string) => `${accountId}/${id}`;
const own = () => zoneId;
const ratelimit = {
  characteristics: ["cf.colo.id", "ip.src"],
  period: 60,
  requestsPerPeriod: 20,
  mitigationTimeout: 600,
};
const limit = {
  ...ruleset,
  phase: "http_ratelimit",
  rules: [{ ref: "l", action: "block", expression: "ssl", ratelimit }],
};
const managed = {
  ref: "m",
  action: "execute",
  expression: "true",
  actionParameters: { id: "efb7b8c949ac4650a09736fc376e9aee" },
};
const skip = { ref: "s", action: "skip", expression: "ssl", actionParameters: { ruleset: "current" } };

const cases: readonly Case[] = [
  {
    name: "Ruleset",
    inputs: ruleset,
    change: [{ ...ruleset, rules: [{ ...block, enabled: false }] }, "rules[0].enabled"],
    replaces: { ...ruleset, name: "other" },
    importId: (id) => `zones/${zoneId}/${id}`,
  },
  {
    name: "Ruleset",
    inputs: limit,
    change: [
      { ...limit, rules: [{ ...limit.rules[0], ratelimit: { ...ratelimit, period: 10 } }] },
      "rules[0].ratelimit.period",
    ],
    importId: (id) => `zones/${zoneId}/${id}`,
  },
  ...[
    ["http_request_cache_settings", cached],
    ["http_response_headers_transform", headers("DENY")],
    ["http_request_dynamic_redirect", redirect],
    ["http_request_firewall_managed", managed],
    ["http_request_firewall_custom", skip],
  ].map(([phase, rule]) => ({
    name: "Ruleset",
    inputs: { ...ruleset, phase, rules: [rule] },
    importId: (id: string) => `zones/${zoneId}/${id}`,
  })),
  {
    name: "LoadBalancerMonitor",
    inputs: {
      accountId,
      type: "https",
      path: "/health",
      expectedCodes: "200",
      consecutiveUp: 2,
      header: { Host: ["palmistry.test"] },
    },
    change: [
      {
        accountId,
        type: "https",
        path: "/up",
        expectedCodes: "200",
        consecutiveUp: 2,
        header: { Host: ["palmistry.test"] },
      },
      "path",
    ],
    importId: inAccount,
  },
  {
    name: "LoadBalancerPool",
    inputs: {
      accountId,
      name: "edge",
      origins: [
        { name: "a", address: "192.0.2.1", header: { hosts: ["palmistry.test"] } },
        { name: "b", address: "192.0.2.2", weight: 0.5 },
      ],
      originSteering: { policy: "least_connections" },
    },
    change: [
      {
        accountId,
        name: "edge",
        origins: [
          { name: "a", address: "192.0.2.1", header: { hosts: ["palmistry.test"] } },
          { name: "b", address: "192.0.2.3", weight: 0.5 },
        ],
        originSteering: { policy: "least_connections" },
      },
      "origins[1].address",
    ],
    importId: inAccount,
  },
  {
    name: "AuthenticatedOriginPullsSettings",
    inputs: { zoneId, enabled: true },
    change: [{ zoneId, enabled: false }, "enabled"],
    importId: own,
    stays: true,
  },
  {
    name: "TieredCache",
    inputs: { zoneId, value: "on" },
    change: [{ zoneId, value: "off" }, "value"],
    importId: own,
    stays: true,
  },
  {
    name: "ArgoTieredCaching",
    inputs: { zoneId, value: "on" },
    change: [{ zoneId, value: "off" }, "value"],
    importId: own,
    stays: true,
  },
  {
    name: "AccessRule",
    inputs: { zoneId, mode: "block", configuration: { target: "country", value: "KP" }, notes: "a" },
    change: [{ zoneId, mode: "managed_challenge", configuration: { target: "country", value: "KP" } }, "mode", "notes"],
    replaces: { accountId, mode: "block", configuration: { target: "country", value: "KP" }, notes: "a" },
    importId: (id) => `zones/${zoneId}/${id}`,
  },
  {
    name: "BotManagement",
    inputs: { zoneId, enableJs: true, sbfmDefinitelyAutomated: "block" },
    change: [{ zoneId, enableJs: false, sbfmDefinitelyAutomated: "block" }, "enableJs"],
    importId: own,
    stays: true,
  },
  {
    name: "ZeroTrustAccessPolicy",
    inputs: {
      accountId,
      name: "team",
      decision: "allow",
      includes: [{ emailDomain: { domain: "palmistry.test" } }, { ip: { ip: "192.0.2.0/24" } }],
    },
    change: [
      {
        accountId,
        name: "team",
        decision: "deny",
        includes: [{ ip: { ip: "192.0.2.0/24" } }, { emailDomain: { domain: "palmistry.test" } }],
      },
      "decision",
    ],
    importId: inAccount,
  },
  {
    name: "ZeroTrustAccessApplication",
    inputs: { accountId, type: "self_hosted", name: "admin", domain: "palmistry.test/admin" },
    change: [
      { accountId, type: "self_hosted", name: "admin", domain: "palmistry.test/admin", sessionDuration: "1h" },
      "sessionDuration",
    ],
    replaces: { zoneId, type: "self_hosted", name: "admin", domain: "palmistry.test/admin" },
    importId: (id) => `accounts/${accountId}/${id}`,
  },
  {
    name: "ZeroTrustAccessServiceToken",
    inputs: { accountId, name: "probe" },
    // Which secret it is, nobody tells: the next update counts it anew.
    untold: ["clientSecretVersion"],
    change: [{ accountId, name: "prober" }, "name"],
    importId: (id) => `accounts/${accountId}/${id}`,
  },
];

describe("the cloudflare stand-in: resources of one call each", () => {
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

  it("has every type under the token of the official SDK", () => {
    for (const token of Object.keys(plugin.resources)) {
      const name = token.split(":").at(-1) as keyof typeof cloudflare;
      assert.equal((cloudflare[name] as unknown as { __pulumiType: string }).__pulumiType, token);
    }
  });

  for (const { name, inputs, change, replaces, importId, stays, untold } of cases) {
    const phase = typeof inputs["phase"] === "string" ? ` of ${inputs["phase"]}` : "";
    it(`creates, reads, updates, imports and deletes a ${name}${phase}`, async () => {
      const type = typeOf(name) as Required<ResourceType<Client>>;
      assert.deepEqual(check(name, inputs), []);
      const { id, outputs } = await type.create(inputs, context);
      assert.deepEqual(diff(name, outputs, inputs).changes, [], "settled after the create");
      const live = await type.read(id, outputs, inputs, context);
      assert.deepEqual([live?.id, live?.inputs], [id, inputs]);
      assert.deepEqual(diff(name, live!.outputs, inputs).changes, [], "settled after a refresh");
      const taken = await type.read(importId(id), {}, {}, context);
      assert.equal(taken?.id, id);
      assert.deepEqual(diff(name, taken.outputs, inputs).changes, untold ?? [], "settled after an import");
      assert.deepEqual(check(name, taken.inputs), []);
      for (const bad of [`${importId(id)}/x`, `/${id}`])
        await assert.rejects(type.read(bad, {}, {}, context), /invalid ID: expected </);
      let last = live!.outputs;
      if (change) {
        const [news, ...paths] = change;
        assert.deepEqual(diff(name, last, news), { changes: paths, replaces: [], deleteBeforeReplace: false });
        last = await type.update({ id, olds: last, oldInputs: inputs, news }, context);
        assert.deepEqual(diff(name, last, news).changes, []);
        const again = await type.read(id, last, news, context);
        assert.deepEqual(diff(name, again!.outputs, news).changes, []);
      }
      if (replaces) assert.notDeepEqual(diff(name, live!.outputs, replaces).replaces, []);
      await type.delete(id, last, context);
      if (!stays) assert.equal(await type.read(id, last, inputs, context), undefined);
    });
  }

  it("takes over the zone by import alone; deleting it would take everything", async () => {
    const type = typeOf("Zone") as Required<ResourceType<Client>>;
    const live = await type.read(zoneId, {}, {}, context);
    const inputs = { account: { id: accountId }, name: "palmistry.test" };
    assert.deepEqual([live?.id, live?.inputs], [zoneId, inputs]);
    assert.deepEqual(diff("Zone", live!.outputs, inputs).changes, []);
    assert.deepEqual(diff("Zone", live!.outputs, { ...inputs, name: "other.test" }).replaces, ["name"]);
    await assert.rejects(type.create(inputs, context), /1061.*palmistry.test already exists/);
    await assert.rejects(type.create({ ...inputs, name: "new.test" }, context), /403 .*zone\.create/);
    const other = await type.read(lab.other.id, {}, {}, context);
    await lab.call("POST", `/zones/${lab.other.id}/dns_records`, {
      type: "TXT",
      name: lab.other.name,
      content: "x",
      ttl: 1,
    });
    await type.delete(lab.other.id, other!.outputs, context);
    assert.equal(await type.read(lab.other.id, other!.outputs, inputs, context), undefined);
    await assert.rejects(lab.resolver().resolveTxt(lab.other.name), { code: "ENOTFOUND" });
  });

  it("sees what somebody else changed, rule for rule", async () => {
    const type = typeOf("Ruleset") as Required<ResourceType<Client>>;
    const { id, outputs } = await type.create(ruleset, context);
    const foreign = { ref: "mine", action: "block", expression: "ssl" };
    await lab.call("PUT", `/zones/${zoneId}/rulesets/${id}`, { rules: [{ ...foreign, action: "managed_challenge" }] });
    const live = await type.read(id, outputs, ruleset, context);
    const { changes } = diff("Ruleset", live!.outputs, ruleset);
    assert.ok(changes.includes("rules[0].action") && changes.includes("rules[0].ref"), changes.join());
    await type.delete(id, outputs, context);
  });

  it("refuses a second ruleset of a phase in the service's words, and deletes none for it", async () => {
    const { id, outputs } = await typeOf("Ruleset").create(ruleset, context);
    const again = typeOf("Ruleset").create({ ...ruleset, name: "second" }, context);
    await assert.rejects(
      again,
      /POST ".*\/rulesets": 400 Bad Request .*20217.*exceeded maximum number of zone rulesets/,
    );
    assert.equal((await lab.call("GET", `/zones/${zoneId}/rulesets/${id}`)).status, 200);
    await typeOf("Ruleset").delete(id, outputs, context);
  });
});
