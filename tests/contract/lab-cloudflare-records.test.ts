import assert from "node:assert/strict";
import type { DnsRecord } from "../../lab/cloudflare/record.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

const a = { type: "A", name: "palmistry.test", content: "192.0.2.1", ttl: 300 };

describe("the lab's Cloudflare: DNS records", () => {
  let lab: TestCloudflare;
  before(async () => (lab = await TestCloudflare.start()));
  after(() => lab.stop());
  afterEach(async () => {
    for (const { id } of await lab.list()) await lab.records("DELETE", `/${id}`);
  });

  const valid: Record<string, [body: object, answered: Partial<DnsRecord>]> = {
    "an address": [a, { content: "192.0.2.1", ttl: 300, proxied: false, proxiable: true, comment: null }],
    "an IPv6 address, in its shortest form": [
      { ...a, type: "AAAA", content: "2001:0DB8:0:0::1" },
      { content: "2001:db8::1", proxiable: true },
    ],
    "a proxied address with automatic ttl": [
      { ...a, proxied: true, ttl: 1 },
      { proxied: true, ttl: 1 },
    ],
    "an alias, lower case and without its dot": [
      { ...a, type: "CNAME", name: "WWW.palmistry.test", content: "Palmistry.TEST." },
      { name: "www.palmistry.test", content: "palmistry.test" },
    ],
    "a wildcard": [{ ...a, name: "*.palmistry.test" }, { name: "*.palmistry.test" }],
    "a text with a leading underscore in its name": [
      { ...a, type: "TXT", name: "_acme-challenge.palmistry.test", content: "unquoted", ttl: 120 },
      { content: "unquoted", proxiable: false },
    ],
    "a mail server": [
      { ...a, type: "MX", content: "mail.palmistry.test", priority: 0 },
      { content: "mail.palmistry.test", priority: 0 },
    ],
    "a CAA record from its data": [
      { name: "palmistry.test", type: "CAA", ttl: 1, data: { flags: 0, tag: "issue", value: "letsencrypt.org" } },
      { content: '0 issue "letsencrypt.org"', data: { flags: 0, tag: "issue", value: "letsencrypt.org" } },
    ],
    "nulls for what is not set": [{ ...a, comment: null, priority: null, data: null, tags: [] }, { comment: null }],
  };
  for (const [title, [body, answered]] of Object.entries(valid))
    it(`accepts ${title}`, async () => {
      const { status, success, errors, result } = await lab.records("POST", "", body);
      assert.deepEqual({ status, success, errors }, { status: 200, success: true, errors: [] });
      const record = result as DnsRecord;
      assert.match(record.id, /^[0-9a-f]{32}$/);
      assert.equal(record.modified_on, record.created_on);
      for (const [key, value] of Object.entries(answered)) assert.deepEqual(record[key as keyof DnsRecord], value);
      assert.deepEqual((await lab.records("GET", `/${record.id}`)).result, record);
    });

  const invalid: Record<string, [body: object, code: number, message: RegExp]> = {
    "no type": [{ ...a, type: undefined }, 9002, /type is a required field/],
    "a type it does not serve": [{ ...a, type: "SRV" }, 9002, /"SRV" is invalid; the lab serves A, AAAA, CNAME/],
    "a short name": [{ ...a, name: "www" }, 9000, /DNS name is invalid/],
    "the sign for the apex": [{ ...a, name: "@" }, 9000, /DNS name is invalid/],
    "a name outside the zone": [{ ...a, name: "evilpalmistry.test" }, 9000, /DNS name is invalid/],
    "an empty label": [{ ...a, name: "a..palmistry.test" }, 9000, /DNS name is invalid/],
    "a wildcard in the middle": [{ ...a, name: "a.*.palmistry.test" }, 9000, /DNS name is invalid/],
    "no content": [{ ...a, content: undefined }, 9100, /content is a required field/],
    "a name for an address": [{ ...a, content: "palmistry.test" }, 9005, /must be a valid IPv4 address/],
    "IPv4 as IPv6": [{ ...a, type: "AAAA" }, 9006, /must be a valid IPv6 address/],
    "an address as alias": [
      { ...a, type: "CNAME", name: "w.palmistry.test" },
      9007,
      /Content for CNAME record is invalid/,
    ],
    "an alias of itself": [
      { ...a, type: "CNAME", content: "palmistry.test" },
      9007,
      /Content for CNAME record is invalid/,
    ],
    "a mail server given by address": [{ ...a, type: "MX", priority: 10 }, 9009, /content of your MX record/],
    "a mail server without priority": [{ ...a, type: "MX", content: "m.test" }, 9100, /priority is a required field/],
    "a priority out of range": [{ ...a, type: "MX", content: "m.test", priority: 65_536 }, 9008, /between 0 and 65535/],
    "a priority elsewhere": [{ ...a, priority: 1 }, 9207, /"priority" is only part of MX/],
    "CAA as content": [{ ...a, type: "CAA", content: '0 issue "a"' }, 9101, /flags is a required data field/],
    "an unknown CAA tag": [
      { ...a, type: "CAA", data: { flags: 0, tag: "allow", value: "x" } },
      9101,
      /tag must be issue, issuewild or iodef/,
    ],
    "no ttl": [{ ...a, ttl: undefined }, 9100, /ttl is a required field/],
    "a ttl below a minute": [{ ...a, ttl: 59 }, 9021, /between 60 and 86400 seconds, or 1/],
    "a ttl above a day": [{ ...a, ttl: 86_401 }, 9021, /between 60 and 86400 seconds, or 1/],
    "a ttl as text": [{ ...a, ttl: "300" }, 9021, /between 60 and 86400 seconds, or 1/],
    "a proxied record with a ttl": [
      { ...a, proxied: true },
      9021,
      /must be 1 \(Automatic\) when the record is proxied/,
    ],
    "a proxied text": [{ ...a, type: "TXT", ttl: 1, proxied: true }, 9004, /This record type cannot be proxied/],
    tags: [{ ...a, tags: ["team:web"] }, 9300, /has 1 tags, exceeding the quota of 0/],
    "a long comment": [{ ...a, comment: "x".repeat(101) }, 9313, /maximum length of 100 characters/],
    "an unknown field": [{ ...a, ttll: 1 }, 9207, /unknown field "ttll"/],
    "an unknown setting": [{ ...a, settings: { flatten_cname: false } }, 9207, /unknown setting "flatten_cname" of A/],
  };
  for (const [title, [body, code, message]] of Object.entries(invalid))
    it(`rejects ${title}`, async () => {
      const { status, success, errors, headers } = await lab.records("POST", "", body);
      assert.deepEqual({ status, success }, { status: 400, success: false });
      assert.equal(errors[0]?.code, code);
      assert.match(errors[0].message, message);
      assert.equal(headers.get("x-should-retry"), "false");
      assert.deepEqual(await lab.list(), []);
    });

  it("reports every problem of a record at once", async () => {
    const { errors } = await lab.records("POST", "", { type: "MX", name: "x", content: "192.0.2.1", ttl: 5 });
    assert.deepEqual(errors.map(({ code }) => code).sort(), [9000, 9009, 9021, 9100]);
  });

  const address = { type: "A", name: "www.palmistry.test", content: "192.0.2.1" };
  const alias = { type: "CNAME", name: "www.palmistry.test", content: "palmistry.test" };
  for (const [title, first, second, code] of [
    ["the same record twice", address, address, 81_058],
    ["an alias beside an address", address, alias, 81_053],
    ["an alias beside an alias", alias, { ...alias, content: "cap.palmistry.test" }, 81_053],
    ["an address beside an alias", alias, address, 81_054],
  ] as const)
    it(`rejects ${title}`, async () => {
      await lab.create(first);
      const { status, errors } = await lab.records("POST", "", { ttl: 1, ...second });
      assert.equal(status, 400);
      assert.deepEqual(
        errors.map((each) => each.code),
        [code],
      );
    });

  it("accepts several addresses, mail servers and texts under one name", async () => {
    await lab.create(address);
    await lab.create({ ...address, content: "192.0.2.2" });
    const mail = { type: "MX", name: "palmistry.test", content: "mail.palmistry.test" };
    await lab.create({ ...mail, priority: 10 });
    await lab.create({ ...mail, priority: 20 });
    assert.equal((await lab.list()).length, 4);
  });

  it("replaces a whole record by PUT, keeping its id and age", async () => {
    const before = await lab.create({ ...a, comment: "edge" });
    const { result } = await lab.records("PUT", `/${before.id}`, { ...a, content: "192.0.2.9" });
    const { id, content, comment, created_on } = result as DnsRecord;
    assert.deepEqual({ id, content, comment }, { id: before.id, content: "192.0.2.9", comment: null });
    assert.equal(created_on, before.created_on);
    const { errors } = await lab.records("PUT", `/${before.id}`, { content: "192.0.2.8" });
    assert.equal(errors[0]?.code, 9002);
  });

  it("changes single fields by PATCH, checking the record as a whole", async () => {
    const before = await lab.create({ ...a, comment: "edge" });
    const { result } = await lab.records("PATCH", `/${before.id}`, { content: "192.0.2.7" });
    const { content, comment, ttl } = result as DnsRecord;
    assert.deepEqual({ content, comment, ttl }, { content: "192.0.2.7", comment: "edge", ttl: 300 });
    const { errors } = await lab.records("PATCH", `/${before.id}`, { proxied: true });
    assert.equal(errors[0]?.code, 9021);
  });

  it("refuses an update into a conflict and leaves the record as it was", async () => {
    await lab.create(address);
    const other = await lab.create({ ...address, content: "192.0.2.2" });
    const { errors } = await lab.records("PATCH", `/${other.id}`, { content: address.content });
    assert.equal(errors[0]?.code, 81_058);
    assert.deepEqual((await lab.records("GET", `/${other.id}`)).result, other);
  });

  it("forgets a deleted record", async () => {
    const { id } = await lab.create(a);
    assert.deepEqual((await lab.records("DELETE", `/${id}`)).result, { id });
    for (const method of ["GET", "DELETE"]) {
      const { status, errors } = await lab.records(method, `/${id}`);
      assert.equal(status, 404);
      assert.deepEqual(errors, [{ code: 81_044, message: "Record does not exist." }]);
    }
  });

  it("keeps records over a restart", async () => {
    const record = await lab.create(a);
    await lab.restart();
    assert.deepEqual(await lab.list(), [record]);
  });
});
