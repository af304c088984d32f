import { isIPv4 } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import { cloudflare } from "../shared/providers.ts";

export interface ZoneRecordsArgs {
  readonly config: Pick<Config, "cloudflare" | "system">;
  /** Addresses under which visitors reach the edge hosts. */
  readonly addresses: readonly string[];
}

/** Cloudflare's "automatic", the only value it takes for a proxied record. */
const automatic = 1;
/** For records that visitors resolve themselves: an address that changes is forgotten within five minutes. */
const unproxiedSeconds = 300;

/**
 * The names of a system's sites in a Cloudflare zone, leading to its edge hosts.
 *
 * @example
 * new ZoneRecords("dns", { config, addresses: ["192.0.2.10"] });
 *
 * Creates: one `cloudflare.DnsRecord` of type A per site and edge host; none with `cloudflare: none`.
 * Stateful: no.
 */
export class ZoneRecords extends pulumi.ComponentResource {
  /** The records by site and address, for example `palmistry.test 192.0.2.10`. */
  readonly records: Readonly<Record<string, pulumi.Resource>>;

  constructor(name: string, args: ZoneRecordsArgs, opts?: pulumi.ComponentResourceOptions) {
    const zone = args.config.cloudflare;
    const sites = [...new Set(args.config.system.edge.sites.map((site) => site.host))];
    super("berth:cloudflare:ZoneRecords", name, zone === "none" ? {} : { sites, addresses: args.addresses }, opts);

    const pairs = zone === "none" ? [] : sites.flatMap((site) => args.addresses.map((address) => ({ site, address })));
    this.records = Object.fromEntries(
      pairs.map(({ site, address }) => [`${site} ${address}`, this.#record(name, site, address, zone)]),
    );

    this.registerOutputs({});
  }

  #record(name: string, site: string, address: string, zone: Config["cloudflare"]): pulumi.Resource {
    if (zone === "none") throw new Error("no zone");
    if (!isIPv4(address)) {
      throw new pulumi.ResourceError(
        `hosts: an edge host needs a public IPv4 address for its DNS records, got "${address}"; set publicAddress`,
        this,
        true,
      );
    }
    return new cloudflare.DnsRecord(
      `${name}-${site}-${address}`,
      {
        zoneId: zone.zoneId,
        // In full: the API answers with full names, and a short one would show as a change for ever.
        name: site,
        type: "A",
        content: address,
        ttl: zone.proxied ? automatic : unproxiedSeconds,
        proxied: zone.proxied,
      },
      { parent: this },
    );
  }
}
