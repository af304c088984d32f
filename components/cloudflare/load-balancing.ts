import { isIPv4 } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Cloudflare } from "../config/cloudflare.ts";
import type { Host } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import { milliseconds } from "../shared/duration.ts";
import { cloudflare } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import { adopted, type AtCloudflare } from "./adopted.ts";
import { explainer } from "./explainer.ts";

export interface LoadBalancingArgs {
  readonly config: Pick<Config, "cloudflare" | "system" | "environment">;
  /** The edge hosts that visitors are sent to. */
  readonly hosts: readonly Pick<Host, "name" | "address" | "publicAddress">[];
}

type Options = NonNullable<Cloudflare["loadBalancer"]>;

/**
 * Cloudflare asks each edge host whether it is well and sends visitors to those that are. The names' DNS records stay
 * beneath: without balancers, visitors follow them again.
 *
 * @example
 * new LoadBalancing("balancer", { config, hosts }, { dependsOn: edge.ready });
 *
 * Creates: one `cloudflare.LoadBalancerMonitor`, one `LoadBalancerPool` with an origin per host and one `LoadBalancer`
 * per site; nothing without `loadBalancer`. Stateful: no.
 *
 * @see https://developers.cloudflare.com/load-balancing/load-balancers/dns-records/
 */
export class LoadBalancing extends pulumi.ComponentResource {
  /** Passed when all of it is there. */
  readonly ready: Ready;

  constructor(name: string, args: LoadBalancingArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:cloudflare:LoadBalancing", name, {}, opts);

    const { cloudflare: zone } = args.config;
    const refusals = explainer();
    const wanted = zone === "none" ? undefined : zone.loadBalancer;
    this.ready = pulumi.output(
      zone === "none" || wanted === undefined ? [] : create(name, args, wanted, { zone, parent: this, refusals }),
    );

    this.registerOutputs({});
  }
}

function create(name: string, { config, hosts }: LoadBalancingArgs, wanted: Options, at: AtCloudflare) {
  const { zoneId, accountId = "" } = at.zone;
  const { system, environment } = config;
  const sites = [...new Set(system.edge.sites.map(({ host }) => host))];
  const label = `${system.name}-${environment}`;
  const monitorName = `${name}-monitor`;
  const monitor = new cloudflare.LoadBalancerMonitor(
    monitorName,
    {
      accountId,
      description: label,
      type: "https",
      method: "GET",
      port: 443,
      path: wanted.path,
      header: { Host: sites.slice(0, 1) },
      expectedCodes: wanted.expect,
      interval: milliseconds(wanted.interval) / 1000,
      timeout: 5,
      retries: 2,
    },
    adopted(at, monitorName),
  );
  const poolName = `${name}-pool`;
  const pool = new cloudflare.LoadBalancerPool(
    poolName,
    {
      accountId,
      name: label,
      monitor: monitor.id,
      minimumOrigins: 1,
      origins: hosts.map((host) => ({ name: host.name, address: addressOf(host, at.parent), enabled: true })),
    },
    adopted(at, poolName),
  );
  const balancers = sites.map((site) => {
    const own = `${name}-${site}`;
    const pools = { defaultPools: [pool.id], fallbackPool: pool.id };
    return new cloudflare.LoadBalancer(
      own,
      {
        ...{ zoneId, name: site, proxied: true, steeringPolicy: "off", ...pools },
        // A request that finds its host down goes to another one at once, not after the next check.
        sessionAffinityAttributes: { zeroDowntimeFailover: "temporary" },
      },
      adopted(at, own),
    );
  });
  return [monitor, pool, ...balancers];
}

function addressOf({ address, publicAddress = address }: LoadBalancingArgs["hosts"][number], parent: pulumi.Resource) {
  if (isIPv4(publicAddress)) return publicAddress;
  throw new pulumi.ResourceError(
    `hosts: an edge host needs a public IPv4 address for the load balancer, got "${publicAddress}"; set publicAddress`,
    parent,
    true,
  );
}
