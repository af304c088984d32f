import assert from "node:assert/strict";
import { join } from "node:path";
import { labAccount, type Stored } from "../../lab/cloudflare/store.ts";
import type { DnsRecord } from "../../lab/cloudflare/record.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject, type StoredResource } from "../support/pulumi.ts";

/* A zone that a team has looked after by hand, taken over by berth's components without losing anything. */

const root = join(import.meta.dirname, "../..");

const program = `
const { configOf } = await import(${JSON.stringify(join(root, "tests/support/systems.ts"))});
const from = (file) => import(${JSON.stringify(join(root, "components/cloudflare/"))} + file);
const { FurtherRecords } = await from("further-records.ts");
const { ZoneRecords } = await from("zone-records.ts");
const { ZoneRules } = await from("zone-rules.ts");
const config = await configOf("fitness-crm", "production", settings);
for (const host of config.hosts) new ZoneRecords("dns-" + host.name, { config, host });
new FurtherRecords("records", { config });
new ZoneRules("zone", { config });
`;

const account = `/accounts/${labAccount.id}`;
const phase = "http_request_firewall_custom";

describe("taking over a zone that exists, on the real engine", function () {
  this.timeout(240_000);
  let lab: TestCloudflare;
  let project: PulumiProject;
  let record: DnsRecord;
  let mail: DnsRecord;
  let waf: Stored;
  let app: Stored;
  let policy: Stored;

  const zoneOf = (path: string) => `/zones/${lab.zone.id}${path}`;
  const say = (adopt: Readonly<Record<string, string>>) =>
    project.settings({
      "berth:domain": "palmistry.test",
      "berth:cloudflare": {
        ...{ zoneId: lab.zone.id, accountId: labAccount.id, plan: "pro", proxied: true, adopt },
        records: [{ type: "MX", name: "${domain}", server: "mail.palmistry.test", priority: 10 }],
        firewall: { rules: { scanners: { action: "block", userAgents: ["sqlmap"] } } },
        access: { emailDomains: ["palmistry.test"] },
      },
    });
  const stack = () =>
    PulumiProject.create({
      ...{ program, dependencies: ["@pulumi/cloudflare"] },
      env: { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token },
    });
  const make = async (method: string, path: string, body: unknown): Promise<Stored> => {
    const { status, result, errors } = await lab.call(method, path, body);
    assert.equal(status, 200, JSON.stringify(errors));
    return result as Stored;
  };
  const live = async (path: string) => (await lab.call("GET", path)).result as Stored;
  const all = async () => ({
    record: await live(zoneOf(`/dns_records/${record.id}`)),
    mail: await live(zoneOf(`/dns_records/${mail.id}`)),
    waf: await live(zoneOf(`/rulesets/${waf.id}`)),
    app: await live(zoneOf(`/access/apps/${app.id}`)),
    policy: await live(`${account}/access/policies/${policy.id}`),
    ssl: (await live(zoneOf("/settings/ssl")))["value"],
  });
  const adopt = () => ({
    "dns-vm-1-palmistry.test": `${lab.zone.id}/${record.id}`,
    "records-mx-palmistry.test": `${lab.zone.id}/${mail.id}`,
    [`zone-${phase}`]: `zones/${lab.zone.id}/${waf.id}`,
    "zone-ssl": `${lab.zone.id}/ssl`,
    "zone-tiered-cache": lab.zone.id,
    "zone-access-policy": `${labAccount.id}/${policy.id}`,
    "zone-access-palmistry.test": `zones/${lab.zone.id}/${app.id}`,
  });
  const shown = async (op: string) =>
    (await project.preview())
      .filter((step) => step.op === op)
      .map(({ urn, detailedDiff }) => [urn.split("::").at(-1), ...Object.keys(detailedDiff ?? {}).sort()]);
  const stored = async (name: string): Promise<StoredResource | undefined> => project.resource(name);

  before(async () => {
    lab = await TestCloudflare.start();
    await lab.restart("pro");
    const noted = { comment: "ask Ada before you touch it" };
    record = await lab.create({ type: "A", name: "palmistry.test", content: "198.18.0.1", ttl: 120, ...noted });
    mail = await lab.create({
      type: "MX",
      name: "palmistry.test",
      content: "mail.palmistry.test",
      priority: 10,
      ttl: 300,
    });
    const rule = { action: "block", expression: 'http.request.uri.path eq "/wp-login.php"', description: "by hand" };
    waf = await make("POST", zoneOf("/rulesets"), { kind: "zone", name: "default", phase, rules: [rule] });
    await make("PATCH", zoneOf("/settings/ssl"), { value: "flexible" });
    const include = [{ email: { email: "ada@palmistry.test" } }];
    policy = await make("POST", `${account}/access/policies`, { name: "old", decision: "allow", include });
    app = await make("POST", zoneOf("/access/apps"), {
      ...{ name: "admin", type: "self_hosted", domain: "palmistry.test/api/admin", app_launcher_visible: false },
      policies: [{ id: policy.id, precedence: 1 }],
    });
  });
  after(async () => {
    await project.remove();
    await lab.stop();
  });

  it("is refused as long as nobody says so; nothing is overwritten, and the message says what to write", async () => {
    project = await stack();
    await say({});
    const before = await all();
    // One refusal would stop the others from being asked for.
    const { code, stdout, stderr } = await project.run("up", "--yes", "--skip-preview", "--continue-on-error");
    await project.remove();
    assert.notEqual(code, 0);
    const text = stdout + stderr;
    assert.match(
      text,
      /berth:cloudflare\.adopt: .*POST zones\/\w+\/rulesets for zone-http_request_firewall_custom; nothing was overwritten\. Add "zone-http_request_firewall_custom: zones\/<zone id>\/<ruleset id>"/,
    );
    assert.match(text, /Add "records-mx-palmistry\.test: <zone id>\/<record id>"/);
    // Settings are always there, so there is nothing to refuse.
    assert.deepEqual({ ...(await all()), ssl: "flexible" }, before);
  });

  it("takes what is named into the state as it is, and previews it as that", async () => {
    await make("PATCH", zoneOf("/settings/ssl"), { value: "flexible" });
    project = await stack();
    await say(adopt());
    const before = await all();
    assert.deepEqual((await shown("import")).map(([name]) => name).sort(), Object.keys(adopt()).sort());
    await project.mustUp();
    assert.deepEqual(await all(), before);
    assert.equal((await stored(`zone-${phase}`))?.id, waf.id);
    assert.ok(await project.isSettled());
  });

  it("shows what the stack wants otherwise once the lines are gone, and changes that and nothing else", async () => {
    await say({});
    const changes = new Map((await shown("update")).map(([name, ...paths]) => [name, paths]));
    assert.deepEqual(await shown("replace"), []);
    assert.deepEqual(changes.get("dns-vm-1-palmistry.test"), ["proxied", "ttl"]);
    assert.equal(changes.get("records-mx-palmistry.test"), undefined, "it is as the stack wants it");
    assert.deepEqual(changes.get("zone-ssl"), ["value"]);
    assert.match(String(changes.get(`zone-${phase}`)), /rules/);
    await project.mustUp();
    const now = await all();
    assert.deepEqual([now.record["proxied"], now.record["comment"]], [true, "ask Ada before you touch it"]);
    assert.equal(now.waf["name"], "default", "a ruleset of another name would be another one");
    assert.deepEqual(
      (now.waf["rules"] as { ref: string }[]).map(({ ref }) => ref),
      ["berth-scanners"],
    );
    assert.equal(now.ssl, "strict");
    assert.ok(await project.isSettled());
  });
});
