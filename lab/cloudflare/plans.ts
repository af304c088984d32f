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

const superBots = ["sbfm_definitely_automated", "sbfm_verified_bots", "sbfm_static_resource_protection"];
const rules = (custom: number, rateLimits: number, others: number) => ({
  http_request_firewall_custom: custom,
  http_request_firewall_managed: 20,
  http_ratelimit: rateLimits,
  http_request_cache_settings: others,
  http_response_headers_transform: others,
  http_request_dynamic_redirect: others,
});

/** As documented per plan. */
export const limits: Readonly<Record<Plan, Limits>> = {
  free: {
    rules: rules(5, 1, 10),
    periods: [10],
    mitigations: [10],
    edgeTtl: 7200,
    regularExpressions: false,
    enterprise: false,
    managedRulesets: false,
    bots: [],
    purgeUrls: 100,
    probeInterval: 60,
  },
  pro: {
    rules: rules(20, 2, 25),
    periods: [10, 60],
    mitigations: [10, 60, 120, 300, 600, 3600],
    edgeTtl: 3600,
    regularExpressions: false,
    enterprise: false,
    managedRulesets: true,
    bots: [...superBots, "optimize_wordpress"],
    purgeUrls: 100,
    probeInterval: 60,
  },
  business: {
    rules: rules(100, 5, 50),
    periods: [10, 60, 120, 300, 600],
    mitigations: [10, 60, 120, 300, 600, 3600, 86_400],
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
    periods: [10, 60, 120, 300, 600, 3600],
    mitigations: [10, 60, 120, 300, 600, 3600, 86_400],
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
    probeInterval: 5,
  },
};
