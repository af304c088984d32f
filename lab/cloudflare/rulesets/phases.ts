import type { Group } from "../tokens.ts";

/** Managed rulesets of Cloudflare, by id. */
export const managedRulesets = {
  efb7b8c949ac4650a09736fc376e9aee: "Cloudflare Managed Ruleset",
  "4814384a9e5d4991b9815dcfc25d2f1f": "Cloudflare OWASP Core Ruleset",
  c2e184081120413c86c3ab7e14069605: "Cloudflare Exposed Credentials Check Ruleset",
  "77454fe2d30c4220b5701f6fdfb893ba": "Cloudflare Managed Free Ruleset",
};
export const freeRuleset = "77454fe2d30c4220b5701f6fdfb893ba";

export interface Phase {
  /** Whose permission its rulesets take. */
  readonly group: Group;
  readonly actions: readonly string[];
}

export const challenges = ["challenge", "js_challenge", "managed_challenge"];

/** The phases that the lab knows; there are more. */
export const phases = {
  http_request_firewall_custom: { group: "Zone WAF", actions: ["block", ...challenges, "log", "skip"] },
  http_request_firewall_managed: { group: "Zone WAF", actions: ["execute", "skip"] },
  http_ratelimit: { group: "Zone WAF", actions: ["block", ...challenges, "log"] },
  http_request_cache_settings: { group: "Cache Settings", actions: ["set_cache_settings"] },
  http_response_headers_transform: { group: "Zone Transform Rules", actions: ["rewrite"] },
  http_request_dynamic_redirect: { group: "Dynamic URL Redirects", actions: ["redirect"] },
} as const satisfies Record<string, Phase>;
export type PhaseName = keyof typeof phases;
