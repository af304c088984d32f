import type { Duration } from "../shared/duration.ts";
import type { Size } from "../shared/size.ts";

/* What a Cloudflare zone may have by its plan, as Cloudflare documents it. */

export const plans = ["free", "pro", "business", "enterprise"] as const;
export type Plan = (typeof plans)[number];

export interface PlanLimits {
  /** @see https://developers.cloudflare.com/waf/custom-rules/#availability */
  readonly customRules: number;
  readonly logAction: boolean;
  readonly regularExpressions: boolean;
  /** @see https://developers.cloudflare.com/waf/rate-limiting-rules/#availability */
  readonly rateLimits: number;
  readonly longestPeriod: Duration;
  readonly longestBlock: Duration;
  /** Whether rate-limit rules may look at the host name. */
  readonly rateLimitsByHost: boolean;
  /** @see https://developers.cloudflare.com/cache/how-to/cache-rules/ */
  readonly shortestEdgeTtl: Duration;
  /** @see https://developers.cloudflare.com/waf/managed-rules/#availability */
  readonly managedRulesets: readonly string[];
  /** @see https://developers.cloudflare.com/cache/concepts/default-cache-behavior/#upload-limits */
  readonly upload: Size;
  /** Between two checks of a host. @see https://developers.cloudflare.com/load-balancing/reference/limitations/ */
  readonly shortestCheck: Duration;
}

const paid = ["free", "cloudflare", "owasp"];

export const planLimits: Readonly<Record<Plan, PlanLimits>> = {
  free: {
    customRules: 5,
    logAction: false,
    regularExpressions: false,
    rateLimits: 1,
    longestPeriod: "10 seconds",
    longestBlock: "10 seconds",
    rateLimitsByHost: false,
    shortestEdgeTtl: "2 hours",
    managedRulesets: ["free"],
    upload: "100 MB",
    shortestCheck: "15 seconds",
  },
  pro: {
    customRules: 20,
    logAction: false,
    regularExpressions: false,
    rateLimits: 2,
    longestPeriod: "1 minute",
    longestBlock: "1 hour",
    rateLimitsByHost: true,
    shortestEdgeTtl: "1 hour",
    managedRulesets: paid,
    upload: "100 MB",
    shortestCheck: "15 seconds",
  },
  business: {
    customRules: 100,
    logAction: false,
    regularExpressions: true,
    rateLimits: 5,
    longestPeriod: "10 minutes",
    longestBlock: "24 hours",
    rateLimitsByHost: true,
    shortestEdgeTtl: "1 second",
    managedRulesets: paid,
    upload: "200 MB",
    shortestCheck: "15 seconds",
  },
  enterprise: {
    customRules: 1000,
    logAction: true,
    regularExpressions: true,
    rateLimits: 100,
    longestPeriod: "65535 seconds",
    longestBlock: "24 hours",
    rateLimitsByHost: true,
    shortestEdgeTtl: "1 second",
    managedRulesets: paid,
    upload: "500 MB",
    shortestCheck: "10 seconds",
  },
};

/** Lengths in seconds that rate-limit rules know, for counting and for blocking. */
export const rateLimitSeconds = [
  ...[10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1200, 1800, 2400, 3600, 65535, 86400],
];
