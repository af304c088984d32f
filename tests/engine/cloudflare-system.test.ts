import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { labAccount, type Stored } from "../../lab/cloudflare/store.ts";
import { permissions, type Permission } from "../../lab/cloudflare/tokens.ts";
import { stackFile, stackHost } from "../support/cloudflare-stack.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject, type Result } from "../support/pulumi.ts";
import type { Mapping } from "../support/systems.ts";

/* What fitness-crm has at Cloudflare, by berth's components and stack file, on the real engine against the lab's API. */

const root = join(import.meta.dirname, "../..");

/** The part of index.ts that is at Cloudflare; services and edge hosts are thought to be there. */
const program = `
const { configOf } = await import(${JSON.stringify(join(root, "tests/support/systems.ts"))});
const from = (file) => import(${JSON.stringify(join(root, "components/cloudflare/"))} + file);
const { FurtherRecords } = await from("further-records.ts");
const { LoadBalancing } = await from("load-balancing.ts");
const { Purge } = await from("purge.ts");
const { ZoneRecords } = await from("zone-records.ts");
const { ZoneRules } = await from("zone-rules.ts");

const config = await configOf("fitness-crm", "production", settings);
const hosts = config.hosts.filter(({ labels, state }) => labels.edge === "true" && state === "active");
for (const host of hosts) new ZoneRecords("dns-" + host.name, { config, host });
new FurtherRecords("records", { config });
const zone = new ZoneRules("zone", { config });
new LoadBalancing("balancer", { config, hosts });
new Purge("purge", { config }, { dependsOn: zone.ready });
`;

const redirect = { from_value: { target_url: { value: "https://palmistry.test/" }, status_code: 301 } };
const account = `/accounts/${labAccount.id}`;
const digest = (of: string): string => `registry.test/frontend:1.0.0@sha256:${of.repeat(64)}`;
describe("a system's part at Cloudflare on the real engine", function () {
  this.timeout(240_000);
  let lab: TestCloudflare;
  let project: PulumiProject;

  const zoneOf = (path: string) => `/zones/${lab.zone.id}${path}`;
  const say = (changes?: Mapping, top?: Mapping) =>
    project.settings(stackFile(lab.zone.id, changes, { "cloudflare:apiToken": lab.token, ...top }));
  const get = async (path: string) => (await lab.call("GET", path)).result;
  const list = async (path: string) => (await get(path)) as Stored[];
  const rules = async (phase: string) =>
    ((await get(zoneOf(`/rulesets/phases/${phase}/entrypoint`))) as { rules: Record<string, unknown>[] }).rules;
  const setting = async (id: string) => ((await get(zoneOf(`/settings/${id}`))) as { value: unknown }).value;
  const purges = async () => {
    const response = await fetch(`${lab.origin}/lab/purges`);
    return ((await response.json()) as { purges: { prefixes?: string[] }[] }).purges;
  };
  /** Everything that is there, without what is new at each reading of it. */
  const everything = async () => ({
    records: (await lab.list()).map(({ type, name, content, proxied, ttl }) => [type, name, content, proxied, ttl]),
    rulesets: (await list(zoneOf("/rulesets"))).map(({ id, name }) => [id, name]),
    apps: (await list(zoneOf("/access/apps"))).map(({ id }) => id),
    policies: (await list(`${account}/access/policies`)).map(({ id }) => id),
    pools: (await list(`${account}/load_balancers/pools`)).map(({ id }) => id),
    monitors: (await list(`${account}/load_balancers/monitors`)).map(({ id }) => id),
    balancers: (await list(zoneOf("/load_balancers"))).map(({ id }) => id),
  });
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
    lab = await TestCloudflare.start();
    await lab.restart("pro");
    const env = { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token };
    const dependencies = ["@pulumi/cloudflare", "@pulumi/command"];
    project = await PulumiProject.create({ program, dependencies, env });
    await symlink(join(root, "components"), join(project.directory, "components"));
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

  describe("with a token that lacks", () => {
    /** Something to write for each permission. */
    const needs: readonly (readonly [Permission, RegExp, Mapping])[] = [
      [
        "DNS Write",
        /lacks the permission "DNS Write" on this zone, got 403 from POST zones\/\w+\/dns_records for records-txt-new\.palmistry\.test; .*Zone, DNS, Edit/,
        { records: [{ type: "TXT", name: "new.${domain}", text: "x" }] },
      ],
      [
        "Zone Settings Write",
        /lacks the permission "Zone Settings Write" on this zone, got 403 from PATCH zones\/\w+\/settings\/websockets for zone-websockets/,
        { settings: { websockets: "off" } },
      ],
      [
        "Zone WAF Write",
        /lacks the permission "Zone WAF Write" on this zone, got 403 from PUT zones\/\w+\/rulesets\/\w+ for zone-http_ratelimit/,
        { rateLimits: { api: { requests: 9, period: "1 minute", block: "1 minute" } } },
      ],
      [
        "Cache Settings Write",
        /lacks the permission "Cache Settings Write" .* for zone-http_request_cache_settings; .*Zone, Cache Rules, Edit/,
        { cache: {} },
      ],
      [
        "Zone Transform Rules Write",
        /lacks the permission "Zone Transform Rules Write" .* for zone-http_response_headers_transform; .*Zone, Transform Rules, Edit/,
        { headers: { "X-Robots-Tag": "none" } },
      ],
      [
        "Access: Apps and Policies Write",
        /lacks the permission "Access: Apps and Policies Write" on this account, got 403 from PUT accounts\/\w+\/access\/policies\/[\w-]+ for zone-access-policy/,
        { access: { emails: ["ada@palmistry.test"] } },
      ],
      [
        "Load Balancing: Monitors and Pools Write",
        /lacks the permission "Load Balancing: Monitors and Pools Write" on this account, got 403 from PUT accounts\/\w+\/load_balancers\/monitors\/\w+ for balancer-monitor/,
        { loadBalancer: { path: "/api/health", expect: "2xx", interval: "30 seconds" } },
      ],
    ];

    let untouched: Awaited<ReturnType<typeof everything>>;
    let said: string;
    before(async () => {
      await say();
      await project.mustUp();
      await say(Object.assign({}, ...needs.map(([, , change]) => change)) as Mapping);
      untouched = await everything();
      const lacking = needs.map(([permission]) => permission);
      await lab.tokens(`${lab.token} ${permissions.filter((each) => !lacking.includes(each)).join(", ")}`);
      const failed = await project.run("up", "--yes", "--skip-preview", "--continue-on-error");
      await lab.tokens(lab.token);
      said = text(failed);
      assert.notEqual(failed.code, 0, said);
    });

    for (const [permission, message] of needs)
      it(`"${permission}" names the call, the permission and where to add it`, () => {
        assert.match(said, message);
      });

    it("any of them leaves nothing half done, and goes on once it has them", async () => {
      assert.ok(!said.includes(lab.token));
      assert.deepEqual(await everything(), untouched);
      await project.mustUp();
      assert.ok(await project.isSettled());
    });
  });

  for (const [status, message] of [
    [401, /cloudflare:apiToken: is not a token that Cloudflare knows, or it has expired, got 401 from PUT zones\//],
    [429, /Cloudflare: has had too many calls of this account, got 429 from PUT .*; wait five minutes/],
    [500, /Cloudflare: did not carry out a call, got 500 from PUT .* for zone-http_response_headers_transform; see/],
  ] as const)
    it(`says what to do after a ${status}, and goes on with the next up`, async () => {
      await say({ headers: { "X-Robots-Tag": `none-${status}` } });
      await lab.order({ method: "PUT", path: "rulesets", status });
      const failed = await project.up();
      assert.notEqual(failed.code, 0);
      assert.match(text(failed), message);
      await project.mustUp();
      assert.ok(await project.isSettled());
    });
});
