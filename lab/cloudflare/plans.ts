/** What a zone pays for decides what the API lets it do. */
export const plans = ["free", "pro", "business", "enterprise"] as const;
export type Plan = (typeof plans)[number];

export interface Limits {
  /** Rules by phase. */
  readonly rules: Readonly<Record<string, number>>;
  /** Seconds over which a rate-limit rule may count. */
  readonly periods: readonly number[];
  /** Seconds for which a rate-limit rule may act, besides none. */
  readonly mitigations: readonly number[];
  /** Fields that the expression of a rate-limit rule may look at; every one where it is left out. */
  readonly rateLimitFields?: readonly string[];
  /** Least seconds for which the edge may be told to keep an answer. */
  readonly edgeTtl: number;
  /** The `matches` operator of expressions. */
  readonly regularExpressions: boolean;
  /** The `log` action of custom rules, and cache keys of one's own. */
  readonly enterprise: boolean;
  /** Managed rulesets besides the free one. */
  readonly managedRulesets: boolean;
  /** Fields of `bot_management` besides those of every plan. */
  readonly bots: readonly string[];
  /** URLs in one purge; tags, hosts and prefixes are 100 at most everywhere. */
  readonly purgeUrls: number;
  /** Least seconds between two probes of a load balancer's monitor. */
  readonly probeInterval: number;
}

/** Lengths in seconds that rate-limit rules know; plans differ in the longest. */
const lengths = [
  ...[10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1200, 1800, 2400, 3600, 65_535, 86_400],
];
const upTo = (longest: number) => lengths.filter((length) => length <= longest);

const freeFields = ["http.request.uri.path", "cf.client.bot", "cf.bot_management.verified_bot"];
const proFields = [
  ...freeFields,
  ...["http.host", "http.request.uri", "http.request.full_uri", "http.request.uri.query"],
];
const businessFields = [...proFields, "http.request.method", "ip.src", "http.user_agent"];

const superBots = ["sbfm_definitely_automated", "sbfm_verified_bots", "sbfm_static_resource_protection"];
const rules = (custom: number, rateLimits: number, others: number) => ({
  http_request_firewall_custom: custom,
  http_request_firewall_managed: 20,
  http_ratelimit: rateLimits,
  http_request_cache_settings: others,
  http_response_headers_transform: others,
  http_request_dynamic_redirect: others,
});

/**
 * As Cloudflare documents it per plan: rules, regular expressions, the log action, edge TTL and purges in the feature
 * tables of developers.cloudflare.com, periods at /waf/rate-limiting-rules/#availability, probes at
 * /load-balancing/reference/limitations/. Enterprise has what the contract says; these are the usual figures. Not
 * documented as numbers and so not confirmed: how many managed rules a phase may execute, and which fields of
 * `bot_management` come with which plan.
 */
export const limits: Readonly<Record<Plan, Limits>> = {
  free: {
    rules: rules(5, 1, 10),
    periods: upTo(10),
    mitigations: upTo(10),
    rateLimitFields: freeFields,
    edgeTtl: 7200,
    regularExpressions: false,
    enterprise: false,
    managedRulesets: false,
    bots: [],
    purgeUrls: 100,
    probeInterval: 15,
  },
  pro: {
    rules: rules(20, 2, 25),
    periods: upTo(60),
    mitigations: upTo(3600),
    rateLimitFields: proFields,
    edgeTtl: 3600,
    regularExpressions: false,
    enterprise: false,
    managedRulesets: true,
    bots: [...superBots, "optimize_wordpress"],
    purgeUrls: 100,
    probeInterval: 15,
  },
  business: {
    rules: rules(100, 5, 50),
    periods: upTo(600),
    mitigations: upTo(86_400),
    rateLimitFields: businessFields,
    edgeTtl: 1,
    regularExpressions: true,
    enterprise: false,
    managedRulesets: true,
    bots: [...superBots, "optimize_wordpress", "sbfm_likely_automated"],
    purgeUrls: 100,
    probeInterval: 15,
  },
  enterprise: {
    rules: rules(1000, 100, 300),
    periods: upTo(65_535),
    mitigations: upTo(86_400),
    edgeTtl: 1,
    regularExpressions: true,
    enterprise: true,
    managedRulesets: true,
    bots: [
      ...superBots,
      ...["optimize_wordpress", "sbfm_likely_automated", "auto_update_model", "suppress_session_score"],
      "bm_cookie_enabled",
    ],
    purgeUrls: 500,
    probeInterval: 10,
  },
};
