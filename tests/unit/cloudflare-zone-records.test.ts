import assert from "node:assert/strict";
import type { ZoneRecords } from "../../components/cloudflare/zone-records.ts";
import { record, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";

async function build(
  cloudflare: unknown,
  addresses: readonly string[] = ["192.0.2.10"],
): Promise<Recording<ZoneRecords>> {
  const value = cloudflare === "none" ? cloudflare : JSON.stringify(cloudflare);
  const config = sampleConfig({ "berth:cloudflare": value });
  return record(async () => {
    const { ZoneRecords } = await import("../../components/cloudflare/zone-records.ts");
    return new ZoneRecords("dns", { config, addresses });
  });
}

describe("ZoneRecords", () => {
  it("leads each site to each edge host, by full names", async () => {
    const dns = await build({ zoneId }, ["192.0.2.10", "192.0.2.11"]);
    assert.deepEqual(dns.names(), [
      "dns berth:cloudflare:ZoneRecords",
      "dns-api.palmistry.test-192.0.2.10 cloudflare:index/dnsRecord:DnsRecord",
      "dns-api.palmistry.test-192.0.2.11 cloudflare:index/dnsRecord:DnsRecord",
      "dns-palmistry.test-192.0.2.10 cloudflare:index/dnsRecord:DnsRecord",
      "dns-palmistry.test-192.0.2.11 cloudflare:index/dnsRecord:DnsRecord",
    ]);
    const one = dns.get("dns-api.palmistry.test-192.0.2.11");
    assert.deepEqual(one.inputs, {
      zoneId,
      name: "api.palmistry.test",
      type: "A",
      content: "192.0.2.11",
      ttl: 300,
      proxied: false,
    });
    assert.equal(one.parent, "dns");
    assert.equal(Object.keys(dns.result.records).length, 4);
  });

  it("leaves the time to live of proxied records to Cloudflare, which takes nothing else", async () => {
    const { inputs } = (await build({ zoneId, proxied: true })).get("dns-palmistry.test-192.0.2.10");
    assert.deepEqual([inputs["ttl"], inputs["proxied"]], [1, true]);
  });

  it("creates nothing without a zone, whatever the addresses", async () => {
    assert.deepEqual((await build("none", ["vm-1.example.net"])).names(), ["dns berth:cloudflare:ZoneRecords"]);
  });

  it("rejects an address that is no IPv4 address", async () => {
    await assert.rejects(
      build({ zoneId }, ["vm-1.example.net"]),
      /hosts: an edge host needs a public IPv4 address for its DNS records, got "vm-1.example.net"; set publicAddress/,
    );
  });
});
