import type { Plugin, ResourceType } from "../framework/types.ts";
import type { Client } from "./client.ts";
import { connect, providerArguments } from "./config.ts";
import { dnsRecord } from "./dns-record.ts";
import * as certificates from "./resources/certificates.ts";
import * as loadBalancing from "./resources/load-balancing.ts";
import { originPulls } from "./resources/origin-pulls.ts";
import { ruleset } from "./resources/ruleset.ts";
import * as zeroTrust from "./resources/zero-trust.ts";
import * as zone from "./resources/zone.ts";
import { zoneSetting } from "./zone-setting.ts";

/** By the name of its class in the SDK. */
const resources: Readonly<Record<string, ResourceType<Client>>> = {
  AccessRule: zone.accessRule,
  ArgoTieredCaching: zone.argoTieredCaching,
  AuthenticatedOriginPulls: originPulls,
  AuthenticatedOriginPullsCertificate: certificates.originPullsCertificate,
  AuthenticatedOriginPullsHostnameCertificate: certificates.originPullsHostnameCertificate,
  AuthenticatedOriginPullsSettings: certificates.originPullsSettings,
  BotManagement: zone.botManagement,
  DnsRecord: dnsRecord,
  LoadBalancer: loadBalancing.loadBalancer,
  LoadBalancerMonitor: loadBalancing.loadBalancerMonitor,
  LoadBalancerPool: loadBalancing.loadBalancerPool,
  OriginCaCertificate: certificates.originCaCertificate,
  RegionalTieredCache: zone.regionalTieredCache,
  Ruleset: ruleset,
  TieredCache: zone.tieredCache,
  ZeroTrustAccessApplication: zeroTrust.accessApplication,
  ZeroTrustAccessPolicy: zeroTrust.accessPolicy,
  ZeroTrustAccessServiceToken: zeroTrust.accessServiceToken,
  Zone: zone.zone,
  ZoneSetting: zoneSetting,
};

/** Stands in for the official cloudflare plugin where that cannot be had: the resources that berth uses. */
export const plugin: Plugin<Client> = {
  name: "cloudflare",
  version: "6.22.1",
  config: providerArguments,
  configure: (values) => connect(values, process.env),
  resources: Object.fromEntries(
    Object.entries(resources).map(([name, type]) => [
      `cloudflare:index/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`,
      type,
    ]),
  ),
};
