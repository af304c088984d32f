import { z } from "zod";
import { collectionRoutes } from "../collection.ts";
import { one, type ApiError } from "../errors.ts";
import { limits } from "../plans.ts";
import { zoneOf, type Call, type Route } from "../route.ts";
import { address, hexId, hostname, text, type Complaint } from "../schema.ts";
import { labAccount, timestamp, type Stored } from "../store.ts";

const monitorsPath = "load_balancers/monitors";
const poolsPath = "load_balancers/pools";
const balancersPath = "load_balancers";
const probes = "Load Balancing: Monitors and Pools";

/** Every wrong field has the same code and ending. */
const invalid = (message: string): ApiError => one(400, 1002, `${message}: validation failed`);
const complain: Complaint = (path, message) => ({
  code: 1002,
  message: `${path.join(".")} ${message}: validation failed`,
});
const missing = (): ApiError => one(404, 1001, "object not found");
const referenced = (): ApiError => one(412, 1005, "This object is referenced by other objects, delete them first.");

const monitor = z.strictObject({
  type: z.enum(["http", "https", "tcp", "udp_icmp", "icmp_ping", "smtp"]).default("http"),
  description: z.string().default(""),
  method: z.string().optional(),
  path: z.string().startsWith("/", { error: "must start with /" }).optional(),
  port: z.int().min(0).max(65_535).default(0),
  expected_codes: z
    .string()
    .regex(/^([1-9]\d\d|[1-9]xx)(,([1-9]\d\d|[1-9]xx))*$/, { error: "is not a list of codes such as 200 or 2xx" })
    .or(z.literal(""))
    .default(""),
  expected_body: z.string().default(""),
  header: z.record(text, z.array(z.string()).min(1)).optional(),
  follow_redirects: z.boolean().default(false),
  allow_insecure: z.boolean().default(false),
  interval: z.int().default(60),
  timeout: z.int().min(1).max(10).default(5),
  retries: z.int().min(0).max(5).default(2),
  consecutive_up: z.int().min(0).default(0),
  consecutive_down: z.int().min(0).default(0),
  probe_zone: z.string().default(""),
});

const monitors = collectionRoutes({
  path: monitorsPath,
  group: probes,
  change: ["PUT", "PATCH"],
  schema: monitor,
  complain,
  missing,
  refuse: (wanted, call) => {
    // The subscription of the whole account, which has that of its best zone.
    const least = Math.min(...call.store.zones.map(({ plan = "business" }) => limits[plan].probeInterval));
    if (wanted.interval < least || wanted.interval > 3600) throw invalid(`interval is not in range [${least}, 3600]`);
    if (wanted.timeout * (wanted.retries + 1) > wanted.interval)
      throw invalid("interval is too short for timeout and retries");
    const web = wanted.type === "http" || wanted.type === "https";
    if (web && wanted.expected_codes === "") throw invalid("expected_codes is required for type http and https");
    if (!web && wanted.type !== "icmp_ping" && wanted.port === 0)
      throw invalid(`port is required for type ${wanted.type}`);
    const methods = web ? ["GET", "HEAD"] : ["connection_established", ""];
    if (wanted.method !== undefined && !methods.includes(wanted.method))
      throw invalid(`method "${wanted.method}" is not allowed for type ${wanted.type}`);
  },
  complete: (wanted, _call, before) => ({
    ...wanted,
    method: wanted.method ?? (wanted.type.startsWith("http") ? "GET" : "connection_established"),
    path: wanted.path ?? (wanted.type.startsWith("http") ? "/" : ""),
    ...dates(before),
  }),
  refuseRemoval: ({ id }, call) => {
    if (pools(call).some((pool) => pool["monitor"] === id)) throw referenced();
  },
});

const origin = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_.-]+$/, { error: "may have letters, digits, dots, hyphens and underscores" }),
  address,
  enabled: z.boolean().default(true),
  weight: z.number().min(0).max(1).default(1),
  port: z.int().min(0).max(65_535).default(0),
  header: z.strictObject({ Host: z.array(hostname).length(1) }).optional(),
  flatten_cname: z.boolean().default(true),
  virtual_network_id: z.string().optional(),
});

const regions = [
  ...["WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS"],
  "ALL_REGIONS",
] as const;

const notice = z.strictObject({ disable: z.boolean().optional(), healthy: z.boolean().nullish() });

const pool = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]+$/, { error: "may have letters, digits, hyphens and underscores only" }),
  description: z.string().default(""),
  enabled: z.boolean().default(true),
  minimum_origins: z.int().min(0).default(1),
  monitor: z.string().optional(),
  monitor_group: z.never({ error: "is not part of the lab" }).optional(),
  check_regions: z.array(z.enum(regions)).optional(),
  origins: z.array(origin).min(1, { error: "the origin list length must be at least 1" }),
  notification_email: z.union([z.literal(""), z.email({ error: "is not an e-mail address" })]).default(""),
  notification_filter: z.strictObject({ origin: notice.nullish(), pool: notice.nullish() }).optional(),
  origin_steering: z
    .strictObject({
      policy: z.enum(["random", "hash", "least_outstanding_requests", "least_connections"]).default("random"),
    })
    .optional(),
  load_shedding: z
    .strictObject({
      default_percent: z.number().min(0).max(100).default(0),
      default_policy: z.enum(["random", "hash"]).default("random"),
      session_percent: z.number().min(0).max(100).default(0),
      session_policy: z.enum(["hash"]).default("hash"),
    })
    .optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
});

const poolRoutes = collectionRoutes({
  path: poolsPath,
  group: probes,
  change: ["PUT", "PATCH"],
  schema: pool,
  complain,
  missing,
  refuse: (wanted, call, before) => {
    if (pools(call).some(({ id, name }) => name === wanted.name && id !== before?.id))
      throw invalid(`pool name "${wanted.name}" already exists`);
    if (wanted.monitor !== undefined && wanted.monitor !== "" && !has(call, monitorsPath, wanted.monitor))
      throw invalid(`monitor "${wanted.monitor}" not found`);
    const names = wanted.origins.map(({ name }) => name);
    if (new Set(names).size < names.length) throw invalid("origin names must be unique");
    const ends = wanted.origins.map((each) => `${each.address}:${each.port}`);
    if (new Set(ends).size < ends.length) throw invalid("origin addresses must be unique");
    if ((wanted.latitude === undefined) !== (wanted.longitude === undefined))
      throw invalid("latitude and longitude must be given together");
    for (const { header, address: end } of wanted.origins) {
      const host = header?.Host[0];
      if (host !== undefined && !call.store.zones.some(({ name }) => host === name || host.endsWith(`.${name}`)))
        throw invalid(`Host header "${host}" not allowed for origin domain "${end}"`);
    }
  },
  complete: (wanted, _call, before) => ({ networks: ["cloudflare"], ...wanted, ...dates(before) }),
  refuseRemoval: ({ id }, call) => {
    const balancers = call.store.zones.flatMap((zone) => call.store.objects(zone.id, balancersPath));
    if (balancers.some((balancer) => JSON.stringify(balancer).includes(id))) throw referenced();
  },
});

const pooled = z.record(text, z.array(hexId).min(1));
const steering = [
  ...["", "off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests", "least_connections"],
] as const;
const affinity = {
  session_affinity: z.enum(["none", "cookie", "ip_cookie", "header", ""]).optional(),
  session_affinity_ttl: z.number().min(30).max(604_800).optional(),
  session_affinity_attributes: z
    .strictObject({
      drain_duration: z.number().min(0).optional(),
      headers: z.array(text).optional(),
      require_all_headers: z.boolean().default(false),
      samesite: z.enum(["Auto", "Lax", "None", "Strict"]).default("Auto"),
      secure: z.enum(["Auto", "Always", "Never"]).default("Auto"),
      zero_downtime_failover: z.enum(["none", "temporary", "sticky"]).default("none"),
    })
    .optional(),
};

const balancer = z.strictObject({
  ...affinity,
  name: hostname,
  description: z.string().optional(),
  enabled: z.boolean().default(true),
  ttl: z.number().min(10).optional(),
  fallback_pool: hexId,
  default_pools: z.array(hexId).min(1, { error: "must have at least one pool" }),
  country_pools: pooled.default({}),
  pop_pools: pooled.default({}),
  region_pools: pooled.default({}),
  networks: z.array(z.enum(["cloudflare"])).optional(),
  proxied: z.boolean().default(false),
  steering_policy: z.enum(steering).default(""),
  adaptive_routing: z.strictObject({ failover_across_pools: z.boolean().default(false) }).optional(),
  location_strategy: z
    .strictObject({
      mode: z.enum(["pop", "resolver_ip"]).default("pop"),
      prefer_ecs: z.enum(["always", "never", "proximity", "geo"]).default("proximity"),
    })
    .optional(),
  random_steering: z
    .strictObject({
      default_weight: z.number().min(0).max(1).default(1),
      pool_weights: z.record(hexId, z.number().min(0).max(1)).optional(),
    })
    .optional(),
  rules: z.array(z.never({ error: "are not part of the lab" })).default([]),
});

const balancers = collectionRoutes({
  path: balancersPath,
  group: "Load Balancers",
  change: ["PUT", "PATCH"],
  schema: balancer,
  complain,
  missing,
  refuse: (wanted, call, before) => {
    const zone = zoneOf(call).name;
    if (wanted.name !== zone && !wanted.name.endsWith(`.${zone}`))
      throw invalid(`name "${wanted.name}" does not belong to zone "${zone}"`);
    if (call.store.objects(call.scope, balancersPath).some(({ id, name }) => name === wanted.name && id !== before?.id))
      throw invalid(`name "${wanted.name}" already exists`);
    const steered = [wanted.country_pools, wanted.pop_pools, wanted.region_pools].flatMap((each) =>
      Object.values(each),
    );
    for (const id of [wanted.fallback_pool, ...wanted.default_pools, ...steered.flat()])
      if (!has(call, poolsPath, id)) throw invalid(`pool "${id}" not found`);
    if (wanted.proxied && wanted.ttl !== undefined) throw invalid("ttl must not be set when proxied is true");
    if (!wanted.proxied && (wanted.session_affinity ?? "none") !== "none")
      throw invalid("session_affinity requires proxied to be true");
  },
  complete: (wanted, call, before) => ({
    description: "",
    session_affinity: "none",
    networks: ["cloudflare"],
    adaptive_routing: { failover_across_pools: false },
    location_strategy: { mode: "pop", prefer_ecs: "proximity" },
    random_steering: { default_weight: 1 },
    session_affinity_attributes: { samesite: "Auto", secure: "Auto", zero_downtime_failover: "none" },
    ...(wanted.proxied ? {} : { ttl: 30 }),
    ...wanted,
    zone_name: zoneOf(call).name,
    ...dates(before),
  }),
});

export const loadBalancerRoutes: readonly Route[] = balancers;
export const poolAndMonitorRoutes: readonly Route[] = [...monitors, ...poolRoutes];

function pools(call: Call): readonly Stored[] {
  return call.store.objects(labAccount.id, poolsPath);
}

function has(call: Call, path: string, id: string): boolean {
  return call.store.objects(labAccount.id, path).some((each) => each.id === id);
}

function dates(before: Stored | undefined): { created_on: unknown; modified_on: string } {
  const now = timestamp();
  return { created_on: before?.["created_on"] ?? now, modified_on: now };
}
