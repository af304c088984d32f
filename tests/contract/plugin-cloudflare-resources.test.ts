import assert from "node:assert/strict";
import { Client } from "../../lab/plugins/cloudflare/client.ts";
import { plugin } from "../../lab/plugins/cloudflare/plugin.ts";
import type { Context, Properties, ResourceType } from "../../lab/plugins/framework/types.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

describe("the cloudflare stand-in: resources against the lab's API", () => {
  let lab: TestCloudflare;
  let context: Context<Client>;
  let logged: string[];
  const dns = plugin.resources["cloudflare:index/dnsRecord:DnsRecord"] as Required<ResourceType<Client>>;
  const setting = plugin.resources["cloudflare:index/zoneSetting:ZoneSetting"] as Required<ResourceType<Client>>;
  let record: { zoneId: string; name: string; type: string; content: string; ttl: number };

  before(async () => {
    lab = await TestCloudflare.start();
    record = { zoneId: lab.zone.id, name: "palmistry.test", type: "A", content: "192.0.2.1", ttl: 60 };
  });
  after(() => lab.stop());
  beforeEach(() => {
    logged = [];
    const client = new Client(lab.baseUrl, lab.token);
    const log = (severity: string, message: string) => void logged.push(`${severity}: ${message}`);
    context = { urn: "urn", client, signal: new AbortController().signal, log };
  });
  afterEach(async () => {
    for (const { id } of await lab.list()) await lab.records("DELETE", `/${id}`);
  });
  const diff = (olds: Properties, news: Properties) => dns.diff({ id: "", olds, oldInputs: news, news });

  it("creates what a following diff finds unchanged, before and after a read", async () => {
    const caa = { flags: 0, tag: "issue", value: "letsencrypt.org" };
    for (const inputs of [
      record,
      { ...record, proxied: true, ttl: 1, name: "cdn.palmistry.test", comment: "edge", settings: { ipv4Only: false } },
      { ...record, type: "CNAME", name: "www.palmistry.test", content: "palmistry.test" },
      { ...record, type: "MX", content: "mail.palmistry.test", priority: 10 },
      { zoneId: record.zoneId, name: "palmistry.test", type: "CAA", ttl: 1, data: caa },
      { ...record, type: "TXT", content: '"v=spf1 -all"' },
    ]) {
      const { id, outputs } = await dns.create(inputs, context);
      for (const key of dns.computed.filter((each) => !/^(tags|comment)ModifiedOn$/.test(each)))
        assert.notEqual(outputs[key], undefined, key);
      assert.deepEqual(diff(outputs, inputs).changes, []);
      const live = await dns.read(id, outputs, inputs, context);
      assert.ok(live);
      assert.deepEqual(live.inputs, inputs);
      assert.deepEqual(diff(live.outputs, inputs).changes, []);
    }
  });

  it("updates in place, and takes away what the program no longer names", async () => {
    const commented = { ...record, comment: "edge" };
    const { id, outputs } = await dns.create(commented, context);
    const news = { ...record, content: "192.0.2.2" };
    const updated = await dns.update({ id, olds: outputs, oldInputs: commented, news }, context);
    assert.equal(updated["content"], "192.0.2.2");
    const [live] = await lab.list();
    assert.deepEqual([live?.id, live?.content, live?.comment], [id, "192.0.2.2", null]);
  });

  it("updates the data of a record whose content the API makes", async () => {
    const of = (value: string) => ({ flags: 0, tag: "issue", value });
    const inputs = { zoneId: record.zoneId, name: "palmistry.test", type: "CAA", ttl: 1, data: of("a.test") };
    const { id, outputs } = await dns.create(inputs, context);
    const news = { ...inputs, data: of("b.test") };
    await dns.update({ id, olds: outputs, oldInputs: inputs, news }, context);
    assert.equal((await lab.list())[0]?.content, '0 issue "b.test"');
  });

  it("reads what somebody else changed, and that somebody deleted it", async () => {
    const { id, outputs } = await dns.create(record, context);
    await lab.records("PATCH", `/${id}`, { content: "198.51.100.1" });
    const live = await dns.read(id, outputs, record, context);
    assert.deepEqual(live?.inputs, { ...record, content: "198.51.100.1" });
    assert.deepEqual(diff(live.outputs, record).changes, ["content"]);
    await lab.records("DELETE", `/${id}`);
    assert.equal(await dns.read(id, outputs, record, context), undefined);
  });

  it("fails, and does not forget the record, when the API can't be read", async () => {
    const { id, outputs } = await dns.create(record, context);
    await lab.order({ method: "GET", status: 500 });
    await assert.rejects(dns.read(id, outputs, record, context), /500 Internal Server Error/);
  });

  it("imports by zone and record", async () => {
    const { id } = await lab.create({ ...record, zoneId: undefined, comment: "by hand" });
    const live = await dns.read(`${lab.zone.id}/${id}`, {}, {}, context);
    assert.deepEqual([live?.id, live?.inputs], [id, { ...record, comment: "by hand" }]);
    await assert.rejects(dns.read(id, {}, {}, context), /invalid ID: expected <zone_id>\/<dns_record_id>, got/);
  });

  it("refuses a proxied record with a ttl before it calls the API", async () => {
    const calls = lab.requests.length;
    await assert.rejects(dns.create({ ...record, proxied: true }, context), /ttl must be set to 1 when `proxied` is/);
    assert.equal(lab.requests.length, calls);
  });

  it("repeats the API's code and message", async () => {
    await dns.create(record, context);
    const address = `POST "${lab.baseUrl}/zones/${lab.zone.id}/dns_records"`;
    await assert.rejects(dns.create(record, context), (error: Error) => {
      assert.ok(error.message.startsWith(`failed to make http request: ${address}: 400 Bad Request {`), error.message);
      assert.match(error.message, /"code":81058,"message":"An identical record already exists."/);
      return true;
    });
  });

  it("deletes, and says so when there is nothing to delete", async () => {
    const { id, outputs } = await dns.create(record, context);
    await dns.delete(id, outputs, context);
    assert.deepEqual(await lab.list(), []);
    await assert.rejects(dns.delete(id, outputs, context), /DELETE ".*": 404 Not Found .*81044/);
  });

  it("takes over a zone setting, changes it, and leaves it when the resource goes", async () => {
    const inputs = { zoneId: lab.zone.id, settingId: "min_tls_version", value: "1.2" };
    const { id, outputs } = await setting.create(inputs, context);
    assert.deepEqual([id, outputs["value"], outputs["editable"]], ["min_tls_version", "1.2", true]);
    const news = { ...inputs, value: "1.3" };
    const updated = await setting.update({ id, olds: outputs, oldInputs: inputs, news }, context);
    assert.equal(updated["value"], "1.3");
    const live = await setting.read(id, updated, news, context);
    assert.deepEqual(live?.inputs, news);
    const imported = await setting.read(`${lab.zone.id}/min_tls_version`, {}, {}, context);
    assert.deepEqual([imported?.id, imported?.inputs], ["min_tls_version", news]);
    await setting.delete(id, updated, context);
    assert.match(logged.join(), /warning: zone setting min_tls_version keeps its value at Cloudflare/);
    const answer = await lab.call("GET", `/zones/${lab.zone.id}/settings/min_tls_version`);
    assert.equal((answer.result as { value: string }).value, "1.3");
  });

  it("repeats what the service says of a permission that a token lacks, per kind of call", async () => {
    await lab.tokens(`${lab.token} Zone Read`);
    try {
      const settings = { zoneId: lab.zone.id, settingId: "ssl", value: "full" };
      for (const [attempt, expected] of [
        [() => dns.create(record, context), /POST .*403 Forbidden .*10000.*needs the permission \\"DNS Write\\"/],
        [() => dns.read("1".repeat(32), record, record, context), /GET .*403 .*needs the permission \\"DNS Read\\"/],
        [() => setting.create(settings, context), /PATCH .*403 .*9109.*the permission \\"Zone Settings Write\\"/],
      ] as const)
        await assert.rejects(attempt(), expected);
    } finally {
      await lab.tokens(lab.token);
    }
  });
});
