import assert from "node:assert/strict";
import { dnsRecord } from "../../lab/plugins/cloudflare/dns-record.ts";
import { zoneSetting } from "../../lab/plugins/cloudflare/zone-setting.ts";
import { unknown, type Properties } from "../../lab/plugins/framework/types.ts";

const zoneId = "5f0c0ffee0ddba11deadbeef00112233";
const record = { zoneId, name: "palmistry.test", type: "A", content: "192.0.2.1", ttl: 60 };
const setting = { zoneId, settingId: "ssl", value: "strict" };
const context = { urn: "urn", olds: {}, randomSeed: new Uint8Array() };

describe("the cloudflare stand-in: check", () => {
  const caa = { flags: 0, tag: "issue", value: "letsencrypt.org" };
  const plainCaa = { zoneId, name: "palmistry.test", type: "CAA", ttl: 1, data: caa };

  for (const [title, inputs] of [
    ["an address", record],
    ["everything at once", { ...record, comment: "c", proxied: false, tags: ["a"], settings: { ipv4Only: true } }],
    ["a CAA record", plainCaa],
    ["flags as text", { ...plainCaa, data: { ...caa, flags: "0" } }],
    ["values that are not known yet", { ...record, content: unknown, ttl: unknown }],
    // Refused when it is created, as by the real provider.
    ["a proxied record with a ttl", { ...record, proxied: true }],
  ] as const)
    it(`accepts ${title} and adds nothing`, () => {
      assert.deepEqual(dnsRecord.check(inputs, context), { inputs, failures: [] });
    });

  for (const [title, inputs, property, reason] of [
    ["an unknown property", { ...record, value: "192.0.2.1" }, "value", /unknown property/],
    ["an unknown part of data", { ...plainCaa, data: { ...caa, content: "x" } }, "data.content", /unknown property/],
    ["a missing name", { ...record, name: undefined }, "name", /required property is missing/],
    ["a missing ttl", { ...record, ttl: undefined }, "ttl", /required property is missing/],
    ["a ttl as text", { ...record, ttl: "60" }, "ttl", /expected a number/],
    ["an unknown type", { ...record, type: "ALIAS" }, "type", /expected one of A, AAAA/],
    ["content beside data", { ...plainCaa, content: "x" }, "data", /cannot be specified together with content/],
    ["a priority out of range", { ...record, priority: 65_536 }, "priority", /between 0 and 65535, got 65536/],
    ["flags that are neither number nor text", { ...plainCaa, data: { ...caa, flags: true } }, "data.flags", /must be/],
  ] as const)
    it(`rejects ${title}`, () => {
      const { failures } = dnsRecord.check(inputs, context);
      assert.deepEqual(
        failures.map((failure) => failure.property),
        [property],
      );
      assert.match(failures[0]?.reason ?? "", reason);
    });

  it("checks zone settings", () => {
    assert.deepEqual(zoneSetting.check(setting, context).failures, []);
    const { failures } = zoneSetting.check({ zoneId, setting: "ssl" }, context);
    assert.deepEqual(failures.map(({ property }) => property).sort(), ["setting", "settingId", "value"]);
  });
});

describe("the cloudflare stand-in: diff", () => {
  const live = {
    ...record,
    proxied: false,
    proxiable: true,
    settings: {},
    tags: [],
    meta: "{}",
    includeShadowMetadata: false,
    createdOn: "2026-01-01T00:00:00Z",
    modifiedOn: "2026-01-01T00:00:00Z",
  };
  const diff = (olds: Properties, news: Properties) => dnsRecord.diff({ id: "1", olds, oldInputs: {}, news });
  const alias = { ...live, type: "CNAME", name: "www.palmistry.test", content: "palmistry.test" };
  const wantedAlias = { zoneId, type: "CNAME", name: "www.palmistry.test", content: "palmistry.test", ttl: 60 };
  const caa = { flags: 0, tag: "issue", value: "a.test" };
  const liveCaa = { ...live, type: "CAA", content: '0 issue "a.test"', data: caa };
  const wantedCaa = { zoneId, name: "palmistry.test", type: "CAA", ttl: 60 };

  for (const [title, olds, news] of [
    ["what is the same", live, record],
    ["a default that is named", live, { ...record, proxied: false }],
    ["no tags and no settings named", { ...live, tags: ["a"], settings: { ipv4Only: true } }, record],
    ["empty settings", live, { ...record, settings: {} }],
    ["a setting that is off", live, { ...record, settings: { ipv4Only: false } }],
    ["tags in another order", { ...live, tags: ["a", "b"] }, { ...record, tags: ["b", "a"] }],
    ["an empty comment for none", live, { ...record, comment: "" }],
    ["the sign for the apex", live, { ...record, name: "@" }],
    ["a name without its zone", alias, { ...wantedAlias, name: "www" }],
    ["a trailing dot", live, { ...record, name: "palmistry.test." }],
    ["the case of an alias's target", alias, { ...wantedAlias, content: "Palmistry.test" }],
    ["content that the API made of data", liveCaa, { ...wantedCaa, data: caa }],
    ["flags as text", liveCaa, { ...wantedCaa, data: { ...caa, flags: "0" } }],
  ] as const)
    it(`sees no change in ${title}`, () => {
      assert.deepEqual(diff(olds, news), { changes: [], replaces: [], deleteBeforeReplace: false });
    });

  for (const [change, news] of [
    ["content", { ...record, content: "192.0.2.2" }],
    ["content", { ...record, content: unknown }],
    ["ttl", { ...record, ttl: 120 }],
    ["proxied", { ...record, proxied: true }],
    ["name", { ...record, name: "www.palmistry.test" }],
    ["comment", { ...record, comment: "edge" }],
    ["priority", { ...record, priority: 1 }],
    ["tags", { ...record, tags: ["a"] }],
    ["settings", { ...record, settings: { ipv4Only: true } }],
  ] as const)
    it(`updates in place on a change of ${change} to ${String(news[change as keyof typeof news])}`, () => {
      assert.deepEqual(diff(live, news), { changes: [change], replaces: [], deleteBeforeReplace: false });
    });

  for (const [change, olds, news] of [
    ["comment", { ...live, comment: "edge" }, record],
    ["proxied", { ...live, proxied: true, ttl: 60 }, record],
    ["data", liveCaa, { ...wantedCaa, data: { ...caa, value: "b.test" } }],
    ["data", liveCaa, { ...wantedCaa, data: { ...caa, value: unknown } }],
  ] as const)
    it(`updates when the live ${change} is not what the program wants`, () => {
      assert.deepEqual(diff(olds, news).changes, [change]);
    });

  for (const [change, news] of [
    ["zoneId", { ...record, zoneId: "00c0ffee0ddba11deadbeef001122334" }],
    ["type", { ...record, type: "CNAME" }],
    ["zoneId", { ...record, zoneId: unknown }],
  ] as const)
    it(`replaces on a change of ${change} to ${String(news[change])}, the new one first`, () => {
      assert.deepEqual(diff(live, news), { changes: [change], replaces: [change], deleteBeforeReplace: false });
    });

  const settingDiff = (olds: Properties, news: Properties) =>
    zoneSetting.diff({ id: "ssl", olds, oldInputs: {}, news });
  const liveSetting = { ...setting, editable: true };
  for (const [title, news, changes, replaces] of [
    ["nothing", setting, [], []],
    ["the value", { ...setting, value: "full" }, ["value"], []],
    ["which setting", { ...setting, settingId: "tls_1_3" }, ["settingId"], ["settingId"]],
    ["the zone", { ...setting, zoneId: "other" }, ["zoneId"], ["zoneId"]],
  ] as const)
    it(`answers for a zone setting when ${title} changed`, () => {
      assert.deepEqual(settingDiff(liveSetting, news), { changes, replaces, deleteBeforeReplace: false });
    });

  it("compares structured values of zone settings by content", () => {
    const value = { strict_transport_security: { enabled: true, max_age: 60 } };
    const same = { strict_transport_security: { max_age: 60, enabled: true } };
    assert.deepEqual(settingDiff({ ...setting, value }, { ...setting, value: same }).changes, []);
  });
});
