import assert from "node:assert/strict";
import type { Stored } from "../../lab/cloudflare/store.ts";
import { permissions } from "../../lab/cloudflare/tokens.ts";
import { stackHost } from "../support/cloudflare-stack.ts";
import type { TestCloudflare } from "../support/cloudflare.ts";
import type { PulumiProject, Result } from "../support/pulumi.ts";
import type { Mapping } from "../support/systems.ts";
import { CloudflareSystem } from "./cloudflare-system.fixture.ts";

const redirect = { from_value: { target_url: { value: "https://palmistry.test/" }, status_code: 301 } };
const digest = (of: string): string => `registry.test/frontend:1.0.0@sha256:${of.repeat(64)}`;
describe("a system's part at Cloudflare on the real engine", function () {
  this.timeout(240_000);
  let system: CloudflareSystem;
  let lab: TestCloudflare;
  let project: PulumiProject;
  let account: string;

  const zoneOf = (path: string) => system.zoneOf(path);
  const say = (changes?: Mapping, top?: Mapping) => system.say(changes, top);
  const get = (path: string) => system.get(path);
  const list = (path: string) => system.list(path);
  const everything = () => system.everything();
  const rules = async (phase: string) =>
    ((await get(zoneOf(`/rulesets/phases/${phase}/entrypoint`))) as { rules: Record<string, unknown>[] }).rules;
  const setting = async (id: string) => ((await get(zoneOf(`/settings/${id}`))) as { value: unknown }).value;
  const purges = async () => {
    const response = await fetch(`${lab.origin}/lab/purges`);
    return ((await response.json()) as { purges: { prefixes?: string[] }[] }).purges;
  };
  const text = ({ stdout, stderr }: Result) => stdout + stderr;
  const shown = async () =>
    (await project.preview()).map(({ op, urn, detailedDiff }) => [
      op,
      urn.split("::").at(-1),
      ...Object.keys(detailedDiff ?? {}).sort(),
    ]);

  /** What somebody else has in the zone: none of it is berth's. */
  let strangers: Awaited<ReturnType<typeof everything>>;

  before(async () => {
    system = await CloudflareSystem.start();
    ({ lab, project, account } = system);
    await lab.create({ type: "A", name: "intranet.palmistry.test", content: "192.0.2.99" });
    await lab.create({ type: "TXT", name: "palmistry.test", content: '"somebody-elses-proof"' });
    const redirects = { rules: [{ action: "redirect", expression: "false", action_parameters: redirect }] };
    const made = await lab.call("PUT", zoneOf("/rulesets/phases/http_request_dynamic_redirect/entrypoint"), redirects);
    assert.equal(made.status, 200, JSON.stringify(made.errors));
    strangers = await everything();
    await say();
  });
  after(async () => {
    await project.remove();
    assert.deepEqual(await everything(), strangers, "destroy leaves the zone as it was found");
    assert.equal(await setting("ssl"), "strict", "settings keep their last values");
    await lab.stop();
  });

  it("is created from the stack file alone", async () => {
    await project.mustUp();
    const records = (await lab.list()).map(({ type, name, content }) => `${type} ${name} ${content}`).sort();
    assert.deepEqual(records, [
      "A intranet.palmistry.test 192.0.2.99",
      "A palmistry.test 198.18.0.1",
      "A palmistry.test 198.18.0.2",
      "AAAA palmistry.test 2001:db8::1",
      'CAA palmistry.test 0 issue "letsencrypt.org"',
      "CNAME www.palmistry.test palmistry.test",
      "MX palmistry.test mail.palmistry.test",
      'TXT palmistry.test "somebody-elses-proof"',
      'TXT palmistry.test "v=spf1 -all"',
    ]);
    assert.deepEqual(await Promise.all(["ssl", "min_tls_version", "http3", "always_use_https", "0rtt"].map(setting)), [
      "strict",
      "1.2",
      "on",
      "on",
      "off",
    ]);
    assert.deepEqual(
      (await rules("http_request_firewall_custom")).map(({ ref, action }) => [ref, action]),
      [
        ["berth-scanners", "block"],
        ["berth-countries", "managed_challenge"],
      ],
    );
    assert.equal((await rules("http_request_firewall_managed")).length, 2);
    assert.deepEqual(
      (await rules("http_ratelimit")).map(({ ref }) => ref),
      ["berth-api", "berth-login"],
    );
    assert.deepEqual(
      (await rules("http_request_cache_settings")).map(({ ref }) => ref),
      ["berth-not-static", "berth-static"],
    );
    assert.equal((await rules("http_response_headers_transform")).length, 1);
    const tiered = (await get(zoneOf("/cache/tiered_cache_smart_topology_enable"))) as { value: string };
    assert.equal(tiered.value, "on");
    const [app] = await list(zoneOf("/access/apps"));
    assert.deepEqual(app?.["self_hosted_domains"], ["palmistry.test/api/admin"]);
  });

  it("has a balancer for each site, over the edge hosts that are well", async () => {
    const [monitor] = await list(`${account}/load_balancers/monitors`);
    const [pool] = await list(`${account}/load_balancers/pools`);
    const [balancer] = await list(zoneOf("/load_balancers"));
    assert.deepEqual(
      [monitor?.["type"], monitor?.["path"], monitor?.["expected_codes"], monitor?.["header"]],
      ["https", "/api/health", "200", { Host: ["palmistry.test"] }],
    );
    assert.equal(pool?.["monitor"], monitor?.id);
    assert.deepEqual(
      (pool?.["origins"] as Mapping[]).map(({ name, address }) => [name, address]),
      [
        ["vm-1", "198.18.0.1"],
        ["vm-2", "198.18.0.2"],
      ],
    );
    assert.deepEqual([balancer?.["name"], balancer?.["default_pools"]], ["palmistry.test", [pool?.id]]);
  });

  it("has nothing to do afterwards, nor does a refresh find anything", async () => {
    assert.ok(await project.isSettled());
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, stdout);
    assert.ok(await project.isSettled());
  });

  it("keeps the token out of the state", async () => {
    assert.ok(!(await project.state()).includes(lab.token));
  });

  it("puts back what somebody changed, and makes again what somebody deleted", async () => {
    const [record] = (await lab.list()).filter(({ content }) => content === "198.18.0.1");
    await lab.records("PATCH", `/${record?.id ?? ""}`, { proxied: false, content: "203.0.113.66" });
    await lab.call("PATCH", zoneOf("/settings/ssl"), { value: "flexible" });
    const waf = (await get(zoneOf("/rulesets/phases/http_request_firewall_custom/entrypoint"))) as Stored;
    await lab.call("PUT", zoneOf(`/rulesets/${waf.id}`), { rules: [] });
    const [balancer] = await list(zoneOf("/load_balancers"));
    await lab.call("DELETE", zoneOf(`/load_balancers/${balancer?.id ?? ""}`));
    assert.ok(await project.isSettled(), "without a refresh nothing is seen");
    assert.equal((await project.run("refresh", "--yes", "--skip-preview")).code, 0);
    assert.deepEqual((await shown()).map(([op, name]) => `${op} ${name}`).sort(), [
      "create balancer-palmistry.test",
      "update dns-vm-1-palmistry.test",
      "update zone-http_request_firewall_custom",
      "update zone-ssl",
    ]);
    await project.mustUp();
    assert.equal((await rules("http_request_firewall_custom")).length, 2);
    assert.equal(await setting("ssl"), "strict");
    assert.equal((await list(zoneOf("/load_balancers"))).length, 1);
    assert.ok((await lab.list()).some(({ content, proxied }) => content === "198.18.0.1" && proxied));
  });

  it("takes a drained host out of the names, and a balancer that nobody wants any more away", async () => {
    await say(
      { loadBalancer: undefined },
      { "berth:hosts": [stackHost("vm-1", 1), stackHost("vm-2", 2, { role: "worker", state: "drain" })] },
    );
    await project.mustUp();
    const addresses = (await lab.list()).filter(({ name, type }) => name === "palmistry.test" && type === "A");
    assert.deepEqual(
      addresses.map(({ content }) => content),
      ["198.18.0.1"],
    );
    assert.deepEqual(await list(zoneOf("/load_balancers")), []);
    await say();
    await project.mustUp();
  });

  describe("on a release", () => {
    const release = (of: string, more?: Mapping) => say(more, { "berth:images": { ...images, frontend: digest(of) } });
    const images = Object.fromEntries(
      ["backend", "postgres", "pgbouncer", "redis", "edge"].map((key) => [
        key,
        `registry.test/${key}:1.0.0@sha256:${"0".repeat(64)}`,
      ]),
    );

    it("makes Cloudflare forget the static files of the service whose image is new", async () => {
      await release("a");
      await project.mustUp();
      const before = (await purges()).length;
      await release("b");
      assert.deepEqual(await shown(), [["update", "purge-frontend", "stdin"]]);
      await project.mustUp();
      const after = await purges();
      assert.deepEqual(
        after.slice(before).map(({ prefixes }) => prefixes),
        [["palmistry.test/assets"]],
      );
    });

    it("purges nothing where only other images are new", async () => {
      const before = (await purges()).length;
      const backend = `registry.test/backend:1.0.0@sha256:${"1".repeat(64)}`;
      await say({}, { "berth:images": { ...images, backend, frontend: digest("b") } });
      await project.mustUp();
      assert.equal((await purges()).length, before);
    });

    it("waits as long as a rate limit asks", async () => {
      await release("c");
      await lab.order({ path: "purge_cache", status: 429, retryAfter: 2, times: 2 });
      const calls = lab.requests.length;
      await project.mustUp();
      const answers = lab.requests.slice(calls).filter(({ line }) => line.includes("purge_cache"));
      assert.deepEqual(
        answers.map(({ line }) => line.slice(-3)),
        ["429", "429", "200"],
      );
      assert.ok(answers[1]!.at - answers[0]!.at >= 1_900);
    });

    it("says what a failed purge means, and purges on the next up", async () => {
      await release("d");
      await lab.tokens(`${lab.token} ${permissions.filter((each) => each !== "Cache Purge").join(", ")}`);
      const before = (await purges()).length;
      const failed = await project.up();
      await lab.tokens(lab.token);
      assert.notEqual(failed.code, 0);
      assert.match(
        text(failed),
        /cloudflare:apiToken: lacks the permission "Cache Purge" on this zone, got 403 from POST zones\/[0-9a-f]{32}\/purge_cache for the cache of palmistry\.test\/assets; edit the token/,
      );
      assert.ok(!text(failed).includes(lab.token));
      assert.equal((await purges()).length, before);
      await project.mustUp();
      assert.equal((await purges()).length, before + 1);
    });
  });
});
