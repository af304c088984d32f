import assert from "node:assert/strict";
import type { ZoneRecords, ZoneRecordsArgs } from "../../components/cloudflare/zone-records.ts";
import { record, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";

async function build(
  cloudflare: unknown,
  host: ZoneRecordsArgs["host"] = { address: "vm-1.example.net", publicAddress: "192.0.2.10" },
): Promise<Recording<ZoneRecords>> {
  const value = cloudflare === "none" ? cloudflare : JSON.stringify(cloudflare);
  const config = sampleConfig({ "berth:cloudflare": value });
  return record(async () => {
    const { ZoneRecords } = await import("../../components/cloudflare/zone-records.ts");
    return new ZoneRecords("dns-vm-1", { config, host });
  });
}

describe("ZoneRecords", () => {
  it("leads each site to the host, by full names", async () => {
    const dns = await build({ zoneId });
    assert.deepEqual(dns.names(), [
      "dns-vm-1 berth:cloudflare:ZoneRecords",
      "dns-vm-1-api.palmistry.test cloudflare:index/dnsRecord:DnsRecord",
      "dns-vm-1-palmistry.test cloudflare:index/dnsRecord:DnsRecord",
    ]);
    const one = dns.get("dns-vm-1-api.palmistry.test");
    assert.deepEqual(one.inputs, {
      zoneId,
      name: "api.palmistry.test",
      type: "A",
      content: "192.0.2.10",
      ttl: 300,
      proxied: false,
    });
    assert.equal(one.parent, "dns-vm-1");
    assert.equal(Object.keys(dns.result.records).length, 2);
  });

  it("leaves the time to live of proxied records to Cloudflare, which takes nothing else", async () => {
    const { inputs } = (await build({ zoneId, proxied: true })).get("dns-vm-1-palmistry.test");
    assert.deepEqual([inputs["ttl"], inputs["proxied"]], [1, true]);
  });

  it("leads to the IPv6 address too, where the host has one", async () => {
    const dns = await build({ zoneId }, { address: "192.0.2.10", publicAddress6: "2001:db8::10" });
    const { inputs } = dns.get("dns-vm-1-aaaa-palmistry.test");
    assert.deepEqual([inputs["type"], inputs["content"], inputs["name"]], ["AAAA", "2001:db8::10", "palmistry.test"]);
    assert.equal(dns.result.all.length, 4);
  });

  it("takes over a record that is there as it is", async () => {
    const adopt = { "dns-vm-1-palmistry.test": `${zoneId}/${"e".repeat(32)}` };
    const dns = await build({ zoneId, adopt });
    assert.deepEqual(dns.get("dns-vm-1-palmistry.test").ignoreChanges, ["*"]);
    assert.deepEqual(dns.get("dns-vm-1-api.palmistry.test").ignoreChanges, ["comment", "tags"]);
  });

  it("creates nothing without a zone, whatever the address", async () => {
    assert.deepEqual((await build("none", { address: "vm-1.example.net" })).names(), [
      "dns-vm-1 berth:cloudflare:ZoneRecords",
    ]);
  });

  it("rejects an address that is no IPv4 address", async () => {
    await assert.rejects(
      build({ zoneId }, { address: "vm-1.example.net" }),
      /hosts: an edge host needs a public IPv4 address for its DNS records, got "vm-1.example.net"; set publicAddress/,
    );
  });
});
