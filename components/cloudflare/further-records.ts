import * as pulumi from "@pulumi/pulumi";
import type * as Provider from "@pulumi/cloudflare";
import type { Cloudflare, ZoneRecord } from "../config/cloudflare.ts";
import type { Config } from "../config/load.ts";
import { cloudflare } from "../shared/providers.ts";
import { adopted, notes } from "./adopted.ts";
import { explainer } from "./explainer.ts";

export interface FurtherRecordsArgs {
  readonly config: Pick<Config, "cloudflare" | "domain">;
}

/**
 * DNS records that the stack file lists beside those of the sites: mail, proofs of ownership, authorities, aliases.
 *
 * @example
 * new FurtherRecords("records", { config });
 *
 * Creates: one `cloudflare.DnsRecord` per entry, named by its type and name, numbered where several have both.
 * Stateful: no.
 */
export class FurtherRecords extends pulumi.ComponentResource {
  constructor(name: string, args: FurtherRecordsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloudflare: zone, domain } = args.config;
    super("berth:cloudflare:FurtherRecords", name, {}, opts);

    const refusals = explainer();
    if (zone !== "none") {
      const at = { zone, parent: this, refusals };
      const taken = new Map<string, number>();
      for (const record of zone.records) {
        const inputs = recordInputs(zone, record, domain);
        const base = `${name}-${record.type.toLowerCase()}-${inputs.name as string}`;
        const count = (taken.get(base) ?? 0) + 1;
        taken.set(base, count);
        const own = count === 1 ? base : `${base}-${count}`;
        new cloudflare.DnsRecord(own, inputs, adopted(at, own, notes));
      }
    }

    this.registerOutputs({});
  }
}

/** What the provider is given: names in full, and the one time to live that it takes for what is proxied. */
export function recordInputs(zone: Cloudflare, record: ZoneRecord, domain: string): Provider.DnsRecordArgs {
  const full = (text: string): string => text.replaceAll("${domain}", domain);
  const common = { zoneId: zone.zoneId, name: full(record.name), type: record.type, ttl: record.ttl };
  switch (record.type) {
    case "CNAME":
      return { ...common, content: full(record.target), proxied: record.proxied, ttl: record.proxied ? 1 : record.ttl };
    case "TXT":
      // In quotes, as the API gives it back.
      return { ...common, content: `"${full(record.text).replaceAll(/(["\\])/g, "\\$1")}"` };
    case "MX":
      return { ...common, content: full(record.server), priority: record.priority };
    case "CAA":
      return { ...common, data: { flags: 0, tag: record.tag, value: full(record.value) } };
  }
}
