import assert from "node:assert/strict";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject, type Step } from "../support/pulumi.ts";

const program = `
const zoneId = settings.zoneId;
const apex = new cloudflare.DnsRecord("apex", {
  zoneId, name: "palmistry.test", type: settings.type ?? "A", content: settings.content ?? "192.0.2.1",
  ttl: settings.ttl ?? 60, proxied: settings.proxied, comment: settings.comment,
});
const www = new cloudflare.DnsRecord("www", {
  zoneId, name: "www.palmistry.test", type: "CNAME", content: "palmistry.test", ttl: 1, proxied: true,
});
const caa = new cloudflare.DnsRecord("caa", {
  zoneId, name: "palmistry.test", type: "CAA", ttl: 1, data: { flags: 0, tag: "issue", value: "letsencrypt.org" },
});
const tls = new cloudflare.ZoneSetting("tls", { zoneId, settingId: "min_tls_version", value: settings.tls ?? "1.2" });
export const id = apex.id;
export const proxied = apex.proxied;
`;

describe("cloudflare on the real engine", function () {
  this.timeout(120_000);
  let lab: TestCloudflare;
  let project: PulumiProject;
  /** What the program says from now on; the zone stays. */
  const say = (settings: Record<string, unknown>) => project.settings({ zoneId: lab.zone.id, ...settings });
  const differences = (detailed: Step["detailedDiff"]) => Object.keys(detailed ?? {}).sort();
  const addresses = async () =>
    (await lab.list()).filter(({ type }) => type === "A").map(({ name, content }) => `${name} ${content}`);

  before(async () => {
    lab = await TestCloudflare.start();
    const env = { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token };
    project = await PulumiProject.create({ program, dependencies: ["@pulumi/cloudflare"], env });
    await say({});
  });
  after(async () => {
    await project.remove();
    assert.deepEqual(await lab.list(), [], "destroy leaves the zone empty");
    await lab.stop();
  });

  it("previews a first up without calling the API", async () => {
    const calls = lab.requests.length;
    const steps = await project.preview();
    assert.deepEqual(new Set(steps.map(({ op }) => op)), new Set(["create"]));
    assert.equal(lab.requests.length, calls);
  });

  it("creates records that the zone then serves, and keeps the token out of the state", async () => {
    await project.mustUp();
    const [apex] = (await lab.list()).filter(({ type }) => type === "A");
    const { id, proxied } = await project.outputs();
    assert.deepEqual([id, proxied], [apex?.id, false]);
    assert.deepEqual(await lab.resolver().resolve4("www.palmistry.test"), ["192.0.2.1"]);
    assert.equal((await lab.resolver().resolveCaa("palmistry.test"))[0]?.issue, "letsencrypt.org");
    assert.ok(!(await project.state()).includes(lab.token));
  });

  it("finds nothing to do afterwards, nor after a refresh", async () => {
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, stdout);
    assert.ok(await project.isSettled());
  });

  it("updates content and settings in place", async () => {
    const { id } = await project.outputs();
    await say({ content: "192.0.2.2", comment: "edge", tls: "1.3" });
    const steps = await project.preview();
    const shown = steps.map(({ op, urn, detailedDiff }) => [op, urn.split("::").at(-1), ...differences(detailedDiff)]);
    assert.deepEqual(shown.sort(), [
      ["update", "apex", "comment", "content"],
      ["update", "tls", "value"],
    ]);
    await project.mustUp();
    assert.equal((await project.outputs())["id"], id);
    const [record] = (await lab.list()).filter((each) => each.id === id);
    assert.deepEqual([record?.content, record?.comment], ["192.0.2.2", "edge"]);
    const setting = await lab.call("GET", `/zones/${lab.zone.id}/settings/min_tls_version`);
    assert.equal((setting.result as { value: string }).value, "1.3");
  });

  it("takes away what the program no longer names", async () => {
    await say({ content: "192.0.2.2" });
    await project.mustUp();
    assert.deepEqual(
      (await lab.list()).map(({ comment }) => comment),
      [null, null, null],
    );
  });

  it("replaces a record of another type, the new one before the old one goes", async () => {
    const { id } = await project.outputs();
    await say({ type: "AAAA", content: "2001:db8::1" });
    const [step] = await project.preview();
    assert.deepEqual([step?.op, ...differences(step?.detailedDiff)], ["replace", "content", "type"]);
    const calls = lab.requests.length;
    await project.mustUp();
    const writes = lab.requests.slice(calls).map(({ line }) => line.split(" ")[0]);
    assert.deepEqual(writes, ["POST", "DELETE"]);
    assert.notEqual((await project.outputs())["id"], id);
    await say({});
    await project.mustUp();
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.1"]);
  });

  it("sees by refresh what somebody else changed, and puts it back", async () => {
    const { id } = await project.outputs();
    await say({});
    await lab.records("PATCH", `/${String(id)}`, { content: "198.51.100.1" });
    assert.ok(await project.isSettled(), "without a refresh nothing is seen");
    assert.equal((await project.run("refresh", "--yes", "--skip-preview")).code, 0);
    assert.equal((await project.resource("apex"))?.outputs?.["content"], "198.51.100.1");
    const [step] = await project.preview();
    assert.deepEqual([step?.op, ...differences(step?.detailedDiff)], ["update", "content"]);
    await project.mustUp();
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.1"]);
  });

  it("makes again what somebody else deleted, once a refresh has seen it", async () => {
    const { id } = await project.outputs();
    await say({});
    await lab.records("DELETE", `/${String(id)}`);
    const { code } = await project.run("up", "--refresh", "--yes", "--skip-preview");
    assert.equal(code, 0);
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.1"]);
    assert.notEqual((await project.outputs())["id"], id);
  });

  it("fails without touching the record when the token may not write, and names the call", async () => {
    await say({ content: "192.0.2.3" });
    await lab.tokens(`${lab.token} DNS Read, Zone Settings Read`);
    const { code, stdout, stderr } = await project.up();
    await lab.tokens(lab.token);
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /PUT "http.*\/dns_records\/[0-9a-f]{32}": 403 Forbidden .*10000.*Authentication error/,
    );
    assert.ok(!(stdout + stderr).includes(lab.token));
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.1"]);
    await project.mustUp();
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.3"]);
  });

  it("waits as long as a rate limit asks and then goes on", async () => {
    await say({ content: "192.0.2.4" });
    await lab.order({ method: "PUT", status: 429, retryAfter: 4 });
    const calls = lab.requests.length;
    await project.mustUp();
    const [refused, accepted] = lab.requests.slice(calls).filter(({ line }) => line.startsWith("PUT"));
    assert.match(refused?.line ?? "", / 429$/);
    assert.match(accepted?.line ?? "", / 200$/);
    // By itself the provider would come back within two seconds.
    assert.ok(accepted!.at - refused!.at >= 3_900, `came back after ${accepted!.at - refused!.at} ms`);
    assert.deepEqual(await addresses(), ["palmistry.test 192.0.2.4"]);
  });

  it("repeats why the API refuses a record", async () => {
    await lab.create({ type: "A", name: "palmistry.test", content: "192.0.2.9" });
    await say({ content: "192.0.2.9" });
    const { code, stdout, stderr } = await project.up();
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /400 Bad Request .*81058.*An identical record already exists\./);
    const [stranger] = (await lab.list()).filter(({ content }) => content === "192.0.2.9");
    await lab.records("DELETE", `/${String(stranger?.id)}`);
    await project.mustUp();
  });

  it("refuses a proxied record with a ttl", async () => {
    await say({ content: "192.0.2.9", proxied: true, type: "AAAA" });
    const { code, stdout, stderr } = await project.up();
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /ttl must be set to 1 when `proxied` is true/);
  });

  it("imports a record that is already there", async () => {
    const { id } = await lab.create({ type: "TXT", name: "note.palmistry.test", content: '"by hand"' });
    const importId = `${lab.zone.id}/${id}`;
    const type = "cloudflare:index/dnsRecord:DnsRecord";
    const { code, stdout, stderr } = await project.run(
      "import",
      type,
      "note",
      importId,
      "--yes",
      "--protect=false",
      "--generate-code=false",
    );
    assert.equal(code, 0, stdout + stderr);
    const stored = await project.resource("note");
    assert.deepEqual([stored?.id, stored?.inputs?.["content"]], [id, '"by hand"']);
  });

  it("rejects unknown arguments of the provider before it calls the API", async () => {
    const calls = lab.requests.length;
    await project.run("config", "set", "cloudflare:apiTokens", "x");
    const { code, stdout, stderr } = await project.run("preview");
    await project.run("config", "rm", "cloudflare:apiTokens");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /apiTokens/);
    assert.equal(lab.requests.length, calls);
  });
});
