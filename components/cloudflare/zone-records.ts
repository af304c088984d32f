import { isIPv4 } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import type { Cloudflare } from "../config/stack.ts";
import { cloudflare } from "../shared/providers.ts";
import { adopted, notes } from "./adopted.ts";
import { explainer } from "./explainer.ts";

export interface ZoneRecordsArgs {
  readonly config: Pick<Config, "cloudflare" | "system">;
  /** The edge host that the names lead to. */
  readonly host: Pick<Host, "address" | "publicAddress" | "publicAddress6">;
}

/** Cloudflare's "automatic", the only value it takes for a proxied record. */
const automatic = 1;
/** For records that visitors resolve themselves: an address that changes is forgotten within five minutes. */
const unproxiedSeconds = 300;

/**
 * The names of a system's sites in a Cloudflare zone, leading to one of its edge hosts.
 *
 * @example
 * new ZoneRecords("dns-vm-1", { config, host });
 *
 * Creates: one `cloudflare.DnsRecord` of type A per site, and one of type AAAA where the host has a
 * public IPv6 address; none with `cloudflare: none`.
 * Stateful: no.
 */
export class ZoneRecords extends pulumi.ComponentResource {
  /** The records by site. */
  readonly records: Readonly<Record<string, pulumi.Resource>>;
  /** All records, those with IPv6 addresses included. */
  readonly all: pulumi.Resource[];
  readonly #refusals: pulumi.ErrorHook;

  constructor(name: string, args: ZoneRecordsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloudflare: zone, system } = args.config;
    const address = args.host.publicAddress ?? args.host.address;
    const sites = [...new Set(system.edge.sites.map((site) => site.host))];
    super("berth:cloudflare:ZoneRecords", name, zone === "none" ? {} : { sites, address }, opts);
    this.#refusals = explainer();

    this.records = Object.fromEntries(
      zone === "none" ? [] : sites.map((site) => [site, this.#record(`${name}-${site}`, site, address, zone)]),
    );
    const six = args.host.publicAddress6;
    const sixes =
      zone === "none" || six === undefined
        ? []
        : sites.map((site) => this.#create(`${name}-aaaa-${site}`, { name: site, type: "AAAA", content: six }, zone));
    this.all = [...Object.values(this.records), ...sixes];

    this.registerOutputs({});
  }

  #record(name: string, site: string, address: string, zone: Cloudflare): pulumi.Resource {
    if (!isIPv4(address)) {
      throw new pulumi.ResourceError(
        `hosts: an edge host needs a public IPv4 address for its DNS records, got "${address}"; set publicAddress`,
        this,
        true,
      );
    }
    return this.#create(name, { name: site, type: "A", content: address }, zone);
  }

  #create(
    name: string,
    record: { readonly name: string; readonly type: string; readonly content: string },
    zone: Cloudflare,
  ): pulumi.Resource {
    return new cloudflare.DnsRecord(
      name,
      {
        zoneId: zone.zoneId,
        // In full: the API answers with full names, and a short one would show as a change for ever.
        name: record.name,
        type: record.type,
        content: record.content,
        ttl: zone.proxied ? automatic : unproxiedSeconds,
        proxied: zone.proxied,
      },
      adopted({ zone, parent: this, refusals: this.#refusals }, name, notes),
    );
  }
}
