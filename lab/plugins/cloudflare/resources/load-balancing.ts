import type { LoadBalancerArgs, LoadBalancerMonitorArgs, LoadBalancerPoolArgs, types } from "@pulumi/cloudflare";
import { foreign, list, map, number, object, text, told, truth, type Attribute } from "../attributes.ts";
import { restResource, scopedImport } from "../rest.ts";

const dates = { createdOn: told({ stable: true }), modifiedOn: told() };

/** `cloudflare.LoadBalancerMonitor`. */
export const loadBalancerMonitor = restResource({
  inputs: {
    accountId: text({ required: true, replaces: true }),
    allowInsecure: truth({ initial: false }),
    consecutiveDown: number({ kept: true, loose: true }),
    consecutiveUp: number({ kept: true, loose: true }),
    description: text({ initial: "" }),
    expectedBody: text({ initial: "" }),
    expectedCodes: text({ initial: "" }),
    followRedirects: truth({ initial: false }),
    header: map(list(text())),
    interval: number({ initial: 60 }),
    method: text({ computed: true }),
    path: text({ computed: true }),
    port: number({ kept: true, loose: true }),
    probeZone: text({ initial: "" }),
    retries: number({ initial: 2 }),
    timeout: number({ initial: 5 }),
    type: text({ initial: "http", oneOf: ["http", "https", "tcp", "udp_icmp", "icmp_ping", "smtp"] }),
  } satisfies Record<keyof LoadBalancerMonitorArgs, Attribute>,
  outputs: dates,
  inPath: ["accountId"],
  path: ({ accountId }) => `accounts/${String(accountId)}/load_balancers/monitors`,
  importForm: "<account_id>/<monitor_id>",
  imported: scopedImport("accountId"),
  create: "POST",
  update: "PUT",
  delete: "DELETE",
});

const regions = [
  ...["WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS"],
  "ALL_REGIONS",
];

const origin = {
  address: text(),
  disabledAt: text({ readOnly: true }),
  enabled: truth({ initial: true }),
  flattenCname: truth({ initial: true }),
  header: object({ hosts: list(text(), { wire: "Host" }) }),
  name: text(),
  port: number({ computed: true }),
  virtualNetworkId: text(),
  weight: number({ initial: 1, between: [0, 1] }),
} satisfies Record<keyof types.input.LoadBalancerPoolOrigin, Attribute>;

const percent = number({ computed: true, initial: 0, between: [0, 100] });
const notice = object({ disable: truth(), healthy: truth() });

/** `cloudflare.LoadBalancerPool`. */
export const loadBalancerPool = restResource({
  inputs: {
    accountId: text({ required: true, replaces: true }),
    checkRegions: list(text({ oneOf: regions })),
    description: text({ initial: "" }),
    enabled: truth({ initial: true }),
    healthSources: foreign,
    latitude: number(),
    loadShedding: object(
      {
        defaultPercent: percent,
        defaultPolicy: text({ initial: "random" }),
        sessionPercent: percent,
        sessionPolicy: text({ initial: "hash" }),
      } satisfies Record<keyof types.input.LoadBalancerPoolLoadShedding, Attribute>,
      { computed: true, stable: true },
    ),
    longitude: number(),
    minimumOrigins: number({ initial: 1 }),
    monitor: text(),
    monitorGroup: foreign,
    name: text({ required: true }),
    notificationEmail: text({ initial: "" }),
    notificationFilter: object({ origin: notice, pool: notice }, { computed: true }),
    originSteering: object(
      {
        policy: text({
          initial: "random",
          oneOf: ["random", "hash", "least_outstanding_requests", "least_connections"],
        }),
      },
      { computed: true },
    ),
    origins: list(object(origin), { required: true }),
  } satisfies Record<keyof LoadBalancerPoolArgs, Attribute>,
  outputs: { ...dates, disabledAt: told(), networks: told() },
  inPath: ["accountId"],
  path: ({ accountId }) => `accounts/${String(accountId)}/load_balancers/pools`,
  importForm: "<account_id>/<pool_id>",
  imported: scopedImport("accountId"),
  create: "POST",
  update: "PUT",
  delete: "DELETE",
});

const pools = map(list(text()), { computed: true });
const policies = [
  "off",
  "geo",
  "random",
  "dynamic_latency",
  "proximity",
  "least_outstanding_requests",
  "least_connections",
];

/** `cloudflare.LoadBalancer`. */
export const loadBalancer = restResource({
  inputs: {
    adaptiveRouting: object({ failoverAcrossPools: truth({ initial: false }) }, { computed: true }),
    countryPools: pools,
    defaultPools: list(text(), { required: true }),
    description: text({ computed: true }),
    enabled: truth({ initial: true }),
    fallbackPool: text({ required: true }),
    locationStrategy: object(
      {
        mode: text({ initial: "pop" }),
        preferEcs: text({ initial: "proximity", oneOf: ["always", "never", "proximity", "geo"] }),
      },
      { computed: true },
    ),
    name: text({ required: true }),
    networks: list(text(), { computed: true }),
    popPools: pools,
    proxied: truth({ initial: false }),
    randomSteering: object(
      { defaultWeight: number({ initial: 1, between: [0, 1] }), poolWeights: map(number()) },
      { computed: true },
    ),
    regionPools: pools,
    rules: foreign,
    sessionAffinity: text({ initial: "none", oneOf: ["none", "cookie", "ip_cookie", "header"] }),
    sessionAffinityAttributes: object(
      {
        drainDuration: number({ computed: true }),
        headers: list(text()),
        requireAllHeaders: truth({ computed: true }),
        samesite: text({ computed: true, oneOf: ["Auto", "Lax", "None", "Strict"] }),
        secure: text({ computed: true, oneOf: ["Auto", "Always", "Never"] }),
        zeroDowntimeFailover: text({ computed: true, oneOf: ["none", "temporary", "sticky"] }),
      } satisfies Record<keyof types.input.LoadBalancerSessionAffinityAttributes, Attribute>,
      { computed: true },
    ),
    sessionAffinityTtl: number({ computed: true }),
    steeringPolicy: text({ initial: "", oneOf: ["", ...policies] }),
    ttl: number({ computed: true }),
    zoneId: text({ required: true, replaces: true }),
  } satisfies Record<keyof LoadBalancerArgs, Attribute>,
  outputs: { createdOn: told(), modifiedOn: told(), zoneName: told() },
  inPath: ["zoneId"],
  path: ({ zoneId }) => `zones/${String(zoneId)}/load_balancers`,
  importForm: "<zone_id>/<load_balancer_id>",
  imported: scopedImport("zoneId"),
  create: "POST",
  update: "PUT",
  delete: "DELETE",
});
