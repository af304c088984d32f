import assert from "node:assert/strict";
import { labAccount } from "../../lab/cloudflare/store.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject } from "../support/pulumi.ts";

const program = `
const { zoneId, accountId } = settings;
const waf = new cloudflare.Ruleset("waf", {
  zoneId, kind: "zone", name: settings.name ?? "berth", phase: "http_request_firewall_custom",
  rules: (settings.paths ?? ["/wp-login.php"]).map((path) => (
    { ref: path, action: "block", expression: 'http.request.uri.path eq "' + path + '"' })),
});
const monitor = new cloudflare.LoadBalancerMonitor("monitor", { accountId, expectedCodes: settings.codes ?? "200" });
const pool = new cloudflare.LoadBalancerPool("pool", {
  accountId, name: "edge", origins: [{ name: "a", address: "192.0.2.1" }], monitor: monitor.id,
});
new cloudflare.LoadBalancer("balancer", {
  zoneId, name: "lb.palmistry.test", defaultPools: [pool.id], fallbackPool: pool.id, proxied: true,
});
const token = new cloudflare.ZeroTrustAccessServiceToken("token", { accountId, name: "probe" });
const policy = new cloudflare.ZeroTrustAccessPolicy("policy", {
  accountId, name: "machines", decision: "non_identity", includes: [{ serviceToken: { tokenId: token.id } }],
});
new cloudflare.ZeroTrustAccessApplication("admin", {
  accountId, type: "self_hosted", name: "admin", domain: "admin.palmistry.test",
  policies: [{ id: policy.id, precedence: 1 }],
});
new cloudflare.TieredCache("tiered", { zoneId, value: "on" });
const zone = new cloudflare.Zone("zone", { account: { id: accountId }, name: "palmistry.test" },
  { import: zoneId, protect: settings.protect ?? true, retainOnDelete: true });
export const ruleset = waf.id;
`;

describe("cloudflare's one-call resources on the real engine", function () {
  this.timeout(120_000);
  let lab: TestCloudflare;
  let project: PulumiProject;
  const say = (settings: Record<string, unknown>) =>
    project.settings({ zoneId: lab.zone.id, accountId: labAccount.id, ...settings });
  const changed = async () =>
    (await project.preview())
      .filter(({ op }) => op !== "same")
      .map(({ op, urn, detailedDiff }) => [op, urn.split("::").at(-1), ...Object.keys(detailedDiff ?? {})]);

  before(async () => {
    lab = await TestCloudflare.start();
    const env = { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token };
    project = await PulumiProject.create({ program, dependencies: ["@pulumi/cloudflare"], env });
    await say({});
  });
  after(async () => {
    await say({ protect: false });
    await project.mustUp();
    await project.remove();
    const below = `/accounts/${labAccount.id}`;
    for (const path of [`${below}/load_balancers/pools`, `${below}/access/apps`, `${below}/access/service_tokens`])
      assert.deepEqual((await lab.call("GET", path)).result, [], "destroy leaves nothing behind");
    assert.equal((await lab.call("GET", `/zones/${lab.zone.id}`)).status, 200, "but the zone");
    await lab.stop();
  });

  it("creates all of them, takes over the zone, and settles", async () => {
    await project.mustUp();
    assert.ok(await project.isSettled());
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview");
    assert.equal(code, 0, stdout);
    assert.ok(await project.isSettled());
  });

  it("keeps the service token's secret out of the plain state", async () => {
    const stored = (await project.resource("token"))?.outputs?.["clientSecret"] as Record<string, unknown> | undefined;
    assert.equal(typeof stored?.["ciphertext"], "string");
    assert.doesNotMatch(JSON.stringify(stored), /[0-9a-f]{64}"/);
  });

  it("updates in place and shows where", async () => {
    const before = (await project.outputs())["ruleset"];
    await say({ paths: ["/xmlrpc.php", "/wp-login.php"], codes: "2xx" });
    const steps = await changed();
    const at = (name: string) => steps.find((step) => step[1] === name);
    assert.deepEqual(at("monitor"), ["update", "monitor", "expectedCodes"]);
    assert.equal(at("waf")?.[0], "update");
    assert.ok(at("waf")?.includes("rules[1]"), String(at("waf")));
    await project.mustUp();
    assert.ok(await project.isSettled());
    assert.equal((await project.outputs())["ruleset"], before);
  });

  it("fails to replace a ruleset, as the service allows no second one, and leaves the first", async () => {
    await say({ name: "other" });
    assert.deepEqual((await changed()).find(([, name]) => name === "waf")?.slice(0, 2), ["replace", "waf"]);
    const { code, stdout, stderr } = await project.up();
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /20217.*exceeded maximum number of zone rulesets/);
    const path = `/zones/${lab.zone.id}/rulesets/phases/http_request_firewall_custom/entrypoint`;
    assert.equal(((await lab.call("GET", path)).result as { name: string }).name, "berth");
    await say({});
    await project.mustUp();
  });

  it("names call and permission where the token lacks one, and leaves nothing half done", async () => {
    await say({ codes: "3xx" });
    await lab.tokens(`${lab.token} Zone WAF Write, Load Balancing: Monitors and Pools Read`);
    const { code, stdout, stderr } = await project.up();
    await lab.tokens(lab.token);
    assert.notEqual(code, 0);
    const needed =
      /PUT "http.*\/load_balancers\/monitors\/[0-9a-f]{32}": 403 .*needs the permission \\"Load Balancing: Monitors and Pools Write\\"/;
    assert.match(stdout + stderr, needed);
    await project.mustUp();
    assert.ok(await project.isSettled());
  });

  it("imports a ruleset that is already there", async () => {
    const made = await lab.call("PUT", `/zones/${lab.zone.id}/rulesets/phases/http_ratelimit/entrypoint`, {
      rules: [],
    });
    const { id } = made.result as { id: string };
    const importing = ["import", "cloudflare:index/ruleset:Ruleset", "limits", `zones/${lab.zone.id}/${id}`];
    const { code, stdout, stderr } = await project.run(
      ...importing,
      "--yes",
      "--protect=false",
      "--generate-code=false",
    );
    assert.equal(code, 0, stdout + stderr);
    const stored = await project.resource("limits");
    assert.deepEqual([stored?.id, stored?.inputs?.["phase"]], [id, "http_ratelimit"]);
    await project.mustUp();
    assert.equal((await lab.call("GET", `/zones/${lab.zone.id}/rulesets/${id}`)).status, 404);
  });
});
