/** A permission of an API token, and what it has to hold for. */
export interface Permission {
  /** Cloudflare's name in its API, for example `Zone WAF Write`. */
  readonly name: string;
  readonly on: "zone" | "account";
  /** How the dashboard calls the group, where it has another name there. */
  readonly group?: string;
}

const zone = (name: string, group?: string): Permission => ({ name, on: "zone", ...(group && { group }) });
const account = (name: string): Permission => ({ name, on: "account" });

/** What a purge needs. */
export const cachePurge = zone("Cache Purge");

/**
 * By type of resource, what the token needs so that it may be written.
 * @see https://developers.cloudflare.com/fundamentals/api/reference/permissions/
 */
const byType: Readonly<Record<string, Permission>> = {
  DnsRecord: zone("DNS Write"),
  ZoneSetting: zone("Zone Settings Write"),
  TieredCache: zone("Zone Settings Write"),
  LoadBalancer: zone("Load Balancers Write"),
  LoadBalancerPool: account("Load Balancing: Monitors and Pools Write"),
  LoadBalancerMonitor: account("Load Balancing: Monitors and Pools Write"),
  ZeroTrustAccessPolicy: account("Access: Apps and Policies Write"),
  ZeroTrustAccessApplication: zone("Access: Apps and Policies Write"),
  OriginCaCertificate: zone("SSL and Certificates Write"),
  AuthenticatedOriginPulls: zone("SSL and Certificates Write"),
  AuthenticatedOriginPullsCertificate: zone("SSL and Certificates Write"),
  AuthenticatedOriginPullsSettings: zone("SSL and Certificates Write"),
};

/** Rulesets need the permission of their phase. */
const byPhase: Readonly<Record<string, Permission>> = {
  http_request_firewall_custom: zone("Zone WAF Write"),
  http_request_firewall_managed: zone("Zone WAF Write"),
  http_ratelimit: zone("Zone WAF Write"),
  http_request_cache_settings: zone("Cache Settings Write", "Cache Rules"),
  http_response_headers_transform: zone("Zone Transform Rules Write", "Transform Rules"),
};

/** What writing a resource needs; undefined for one that berth does not make. */
export function permissionFor(type: string, inputs: Readonly<Record<string, unknown>>): Permission | undefined {
  const kind = type.split(":").at(-1) ?? "";
  return kind === "Ruleset" ? byPhase[String(inputs["phase"])] : byType[kind];
}

/** As somebody finds it who edits the token: `Zone, Zone WAF, Edit`. */
export function inDashboard({ name, on, group }: Permission): string {
  const kind = on === "zone" ? "Zone" : "Account";
  return name.endsWith(" Write") ? `${kind}, ${group ?? name.slice(0, -" Write".length)}, Edit` : `${kind}, ${name}`;
}
