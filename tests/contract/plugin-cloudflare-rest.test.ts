import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as cloudflare from "@pulumi/cloudflare";
import { labAccount } from "../../lab/cloudflare/store.ts";
import { Client } from "../../lab/plugins/cloudflare/client.ts";
import { plugin } from "../../lab/plugins/cloudflare/plugin.ts";
import { unknown, type Context, type Properties, type ResourceType } from "../../lab/plugins/framework/types.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

const run = promisify(execFile);
const zoneId = "5f0c0ffee0ddba11deadbeef00112233";
const accountId = labAccount.id;

function typeOf(name: string): ResourceType<Client> {
  const type = plugin.resources[`cloudflare:index/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`];
  if (!type) throw new Error(`no ${name}`);
  return type;
}

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
const block = {
  ref: "probe",
  action: "block",
  expression: '(http.request.uri.path eq "/wp-login.php")',
  actionParameters: { response: { statusCode: 403, content: "no", contentType: "text/plain" } },
};
const ruleset = { zoneId, kind: "zone", name: "berth", phase: "http_request_firewall_custom", rules: [block] };
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
const cached = {
  ref: "assets",
  action: "set_cache_settings",
  expression: 'starts_with(http.request.uri.path, "/assets/")',
  actionParameters: {
    cache: true,
    edgeTtl: {
      mode: "override_origin",
      default: 86_400,
      statusCodeTtls: [{ statusCodeRange: { from: 400, to: 599 }, value: 0 }],
    },
    browserTtl: { mode: "respect_origin" },
    serveStale: { disableStaleWhileUpdating: false },
  },
};
const headers = (value: string) => ({
  ref: "headers",
  action: "rewrite",
  expression: "true",
  actionParameters: { headers: { "X-Frame-Options": { operation: "set", value } } },
});
const redirect = {
  ref: "www",
  action: "redirect",
  expression: '(http.host eq "www.palmistry.test")',
  actionParameters: {
    fromValue: { statusCode: 301, targetUrl: { value: "https://palmistry.test" }, preserveQueryString: true },
  },
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
  let lab: TestCloudflare;
  let directory: string;
  let context: Context<Client>;
  before(async () => {
    lab = await TestCloudflare.start();
    directory = await mkdtemp(join(tmpdir(), "berth-certificates-"));
    assert.equal(lab.zone.id, zoneId);
  });
  after(async () => {
    await lab.stop();
    await rm(directory, { recursive: true });
  });
  beforeEach(() => {
    context = { urn: "urn", client: new Client(lab.baseUrl, lab.token), signal: new AbortController().signal };
  });
  afterEach(() => lab.tokens(lab.token));
  const check = (name: string, inputs: Properties) =>
    typeOf(name).check(inputs, { urn: "urn", olds: {}, randomSeed: new Uint8Array() }).failures;
  const diff = (name: string, olds: Properties, news: Properties) =>
    typeOf(name).diff({ id: "", olds, oldInputs: news, news });
  const key = async (kind: "rsa" | "ec", name: string) => {
    const make = kind === "rsa" ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const at = (end: string) => join(directory, `${name}.${end}`);
    const common = ["-newkey", ...make, "-nodes", "-subj", `/CN=${name}`, "-keyout", at("key")];
    await run("openssl", ["req", "-new", ...common, "-out", at("csr")]);
    await run("openssl", ["req", "-x509", "-days", "30", "-key", at("key"), "-subj", `/CN=${name}`, "-out", at("pem")]);
    const [certificate, privateKey] = await Promise.all([readFile(at("pem"), "utf8"), readFile(at("key"), "utf8")]);
    return { csr: await readFile(at("csr"), "utf8"), certificate, privateKey };
  };

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

  it("steers traffic to pools that are watched, and lets none of them go too early", async () => {
    const monitor = await typeOf("LoadBalancerMonitor").create(
      { accountId, type: "http", expectedCodes: "2xx" },
      context,
    );
    const origins = [{ name: "a", address: "192.0.2.1" }];
    const poolInputs = { accountId, name: "watched", origins, monitor: monitor.id };
    const pool = await typeOf("LoadBalancerPool").create(poolInputs, context);
    const inputs = {
      zoneId,
      name: "lb.palmistry.test",
      defaultPools: [pool.id],
      fallbackPool: pool.id,
      proxied: true,
      sessionAffinity: "cookie",
      sessionAffinityAttributes: { zeroDowntimeFailover: "temporary" },
    };
    const balancer = typeOf("LoadBalancer") as Required<ResourceType<Client>>;
    const { id, outputs } = await balancer.create(inputs, context);
    assert.equal(outputs["zoneName"], "palmistry.test");
    assert.deepEqual(diff("LoadBalancer", outputs, inputs).changes, []);
    const live = await balancer.read(id, outputs, inputs, context);
    assert.deepEqual([live?.inputs, diff("LoadBalancer", live!.outputs, inputs).changes], [inputs, []]);
    await assert.rejects(
      typeOf("LoadBalancerPool").delete(pool.id, pool.outputs, context),
      /412 .*1005.*referenced by other objects/,
    );
    await assert.rejects(typeOf("LoadBalancerMonitor").delete(monitor.id, monitor.outputs, context), /412 .*1005/);
    await balancer.delete(id, outputs, context);
    await typeOf("LoadBalancerPool").delete(pool.id, pool.outputs, context);
    await typeOf("LoadBalancerMonitor").delete(monitor.id, monitor.outputs, context);
  });

  for (const [kind, requestType] of [
    ["ec", "origin-ecc"],
    ["rsa", "origin-rsa"],
  ] as const)
    it(`gets a real ${kind} certificate from the Origin CA, and revokes it`, async () => {
      const type = typeOf("OriginCaCertificate") as Required<ResourceType<Client>>;
      const { csr, privateKey } = await key(kind, `origin-${kind}`);
      const inputs = { csr, hostnames: ["palmistry.test", "*.palmistry.test"], requestType, requestedValidity: 90 };
      const { id, outputs } = await type.create(inputs, context);
      const leaf = new X509Certificate(String(outputs["certificate"]));
      const published = (await (await fetch(`${lab.origin}/lab/origin-ca/${kind}`)).json()) as { certificate: string };
      const root = new X509Certificate(published.certificate);
      assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey) && root.ca);
      assert.equal(leaf.subjectAltName, "DNS:palmistry.test, DNS:*.palmistry.test");
      assert.equal(Math.round((leaf.validToDate.getTime() - Date.now()) / 86_400_000), 90);
      assert.ok(leaf.checkPrivateKey(createPrivateKey(privateKey)));
      const live = await type.read(id, outputs, inputs, context);
      assert.deepEqual([live?.inputs, diff("OriginCaCertificate", live!.outputs, inputs).changes], [inputs, []]);
      const moved = { ...inputs, hostnames: ["*.palmistry.test", "palmistry.test"] };
      assert.deepEqual(diff("OriginCaCertificate", outputs, moved).replaces, ["hostnames[0]", "hostnames[1]"]);
      await type.delete(id, outputs, context);
      assert.equal(await type.read(id, outputs, inputs, context), undefined);
    });

  it("refuses an Origin CA certificate for another's names, a spoilt request and another kind of key", async () => {
    const type = typeOf("OriginCaCertificate");
    const { csr } = await key("ec", "refused");
    const inputs = { csr, hostnames: ["palmistry.test"], requestType: "origin-ecc" };
    const spoilt = csr.replace(/(.{20})(.)/, (_, head: string, letter: string) => head + (letter === "A" ? "B" : "A"));
    for (const [news, message] of [
      [{ ...inputs, hostnames: ["example.com"] }, /1010.*Failed to validate requested hostname example.com: This zone/],
      [{ ...inputs, csr: "x" }, /CSR could not be parsed/],
      [{ ...inputs, csr: spoilt }, /CSR could not be parsed/],
      [{ ...inputs, requestType: "origin-rsa" }, /does not match request_type/],
    ] as const)
      await assert.rejects(type.create(news, context), message);
  });

  it("shows a client certificate to origins, for the zone and for one host", async () => {
    const { certificate, privateKey } = await key("ec", "pull");
    const inputs = { zoneId, certificate, privateKey };
    const pulls = typeOf("AuthenticatedOriginPullsCertificate") as Required<ResourceType<Client>>;
    assert.deepEqual(pulls.secretOutputs, ["privateKey"]);
    const { id, outputs } = await pulls.create(inputs, context);
    assert.deepEqual([outputs["certificateId"], outputs["status"]], [id, "pending_deployment"]);
    const live = await pulls.read(id, outputs, inputs, context);
    assert.deepEqual([live?.outputs["status"], live?.inputs], ["active", inputs]);
    assert.ok(
      !JSON.stringify((await lab.call("GET", `/zones/${zoneId}/origin_tls_client_auth`)).result).includes("PRIVATE"),
    );
    assert.deepEqual(
      diff("AuthenticatedOriginPullsCertificate", outputs, { ...inputs, certificate: certificate.trimEnd() }).changes,
      [],
    );
    const other = await key("ec", "other");
    assert.deepEqual(
      diff("AuthenticatedOriginPullsCertificate", outputs, { ...inputs, certificate: other.certificate }).replaces,
      ["certificate"],
    );
    await assert.rejects(
      pulls.create({ ...inputs, certificate: other.certificate }, context),
      /1412.*pair you uploaded is invalid/,
    );

    const hostCertificate = await typeOf("AuthenticatedOriginPullsHostnameCertificate").create(inputs, context);
    const hostPulls = typeOf("AuthenticatedOriginPulls") as Required<ResourceType<Client>>;
    const config = { zoneId, configs: [{ hostname: "palmistry.test", certId: hostCertificate.id, enabled: true }] };
    await assert.rejects(
      hostPulls.create({ ...config, configs: [{ ...config.configs[0], certId: id }] }, context),
      /1405/,
    );
    const made = await hostPulls.create(config, context);
    assert.deepEqual([made.id, made.outputs["certId"]], ["palmistry.test", hostCertificate.id]);
    const seen = await hostPulls.read(made.id, made.outputs, config, context);
    assert.deepEqual([seen?.inputs, diff("AuthenticatedOriginPulls", seen!.outputs, config).changes], [config, []]);
    await hostPulls.delete(made.id, made.outputs, context);
    assert.equal(await hostPulls.read(made.id, made.outputs, config, context), undefined);
    await pulls.delete(id, outputs, context);
  });

  it("names the policies of an application, and tells a service token's secret once", async () => {
    const tokens = typeOf("ZeroTrustAccessServiceToken") as Required<ResourceType<Client>>;
    assert.deepEqual(tokens.secretOutputs, ["clientSecret"]);
    const token = await tokens.create({ accountId, name: "probe" }, context);
    const secret = token.outputs["clientSecret"];
    assert.match(String(secret), /^[0-9a-f]{64}$/);
    const read = await tokens.read(token.id, token.outputs, { accountId, name: "probe" }, context);
    assert.equal(read?.outputs["clientSecret"], secret);
    const renamed = { accountId, name: "prober" };
    const update = { id: token.id, olds: token.outputs, oldInputs: {}, news: renamed };
    assert.equal((await tokens.update(update, context))["clientSecret"], secret);
    assert.equal(
      (await tokens.read(`accounts/${accountId}/${token.id}`, {}, {}, context))?.outputs["clientSecret"],
      undefined,
    );

    const policies = typeOf("ZeroTrustAccessPolicy");
    const includes = [{ serviceToken: { tokenId: token.id } }];
    const policy = await policies.create({ accountId, name: "machines", decision: "non_identity", includes }, context);
    const apps = typeOf("ZeroTrustAccessApplication") as Required<ResourceType<Client>>;
    const inputs = {
      accountId,
      type: "self_hosted",
      name: "status",
      destinations: [{ uri: "status.palmistry.test" }, { type: "public", uri: "palmistry.test/status" }],
      policies: [{ id: policy.id }],
    };
    const app = await apps.create(inputs, context);
    assert.match(String(app.outputs["aud"]), /^[0-9a-f]{64}$/);
    const live = await apps.read(app.id, app.outputs, inputs, context);
    assert.deepEqual([live?.inputs, diff("ZeroTrustAccessApplication", live!.outputs, inputs).changes], [inputs, []]);
    await assert.rejects(
      policies.delete(policy.id, policy.outputs, context),
      /policy is in use by application \\"status\\"/,
    );
    await assert.rejects(apps.create(inputs, context), /11010.*application_already_exists/);
    await assert.rejects(
      apps.create({ ...inputs, destinations: [{ uri: "example.com" }] }, context),
      /does not belong to zone/,
    );
    await apps.delete(app.id, app.outputs, context);
    await policies.delete(policy.id, policy.outputs, context);
    await tokens.delete(token.id, token.outputs, context);
  });

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
    ["Ruleset", ruleset, /POST ".*rulesets": 403 .*needs the permission "Zone WAF Write" on this zone$/],
    [
      "Ruleset",
      { ...ruleset, phase: "http_request_cache_settings", rules: [cached] },
      /"Cache Settings Write" on this zone$/,
    ],
    [
      "Ruleset",
      { ...ruleset, phase: "http_response_headers_transform", rules: [headers("DENY")] },
      /"Zone Transform Rules Write"/,
    ],
    [
      "Ruleset",
      { ...ruleset, phase: "http_request_dynamic_redirect", rules: [redirect] },
      /"Dynamic URL Redirects Write"/,
    ],
    [
      "LoadBalancerPool",
      { accountId, name: "p", origins: [{ name: "a", address: "192.0.2.1" }] },
      /"Load Balancing: Monitors and Pools Write" on this account$/,
    ],
    [
      "LoadBalancer",
      { zoneId, name: "lb.palmistry.test", defaultPools: ["x"], fallbackPool: "x" },
      /"Load Balancers Write"/,
    ],
    [
      "OriginCaCertificate",
      { csr: "x", hostnames: ["palmistry.test"], requestType: "origin-ecc" },
      /"SSL and Certificates Write"/,
    ],
    ["AuthenticatedOriginPullsSettings", { zoneId, enabled: true }, /"SSL and Certificates Write"/],
    ["TieredCache", { zoneId, value: "on" }, /PATCH .*"Zone Settings Write"/],
    [
      "AccessRule",
      { zoneId, mode: "block", configuration: { target: "ip", value: "192.0.2.1" } },
      /"Firewall Services Write"/,
    ],
    ["BotManagement", { zoneId, enableJs: true }, /PUT .*"Bot Management Write"/],
    [
      "ZeroTrustAccessPolicy",
      { accountId, name: "p", decision: "allow", includes: [{ everyone: {} }] },
      /"Access: Apps and Policies Write"/,
    ],
    ["ZeroTrustAccessServiceToken", { accountId, name: "p" }, /"Access: Service Tokens Write"/],
  ] as const)
    it(`says which permission a token lacks: ${message.source}`, async () => {
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
