import type { types } from "@pulumi/cloudflare";
import { planLimits } from "../config/cloudflare-plans.ts";
import type { Cloudflare, FirewallRule } from "../config/cloudflare.ts";
import type { Route, Site } from "../config/edge.ts";
import { milliseconds } from "../shared/duration.ts";
import { literal, prefixExpression, routesExpression } from "./expression.ts";

type Rule = types.input.RulesetRule;

/** Ids by which Cloudflare knows its own rulesets, the same in every zone. */
const managedIds = {
  free: "77454fe2d30c4220b5701f6fdfb893ba",
  cloudflare: "efb7b8c949ac4650a09736fc376e9aee",
  owasp: "4814384a9e5d4991b9815dcfc25d2f1f",
};

/** Routes with files that the CDN keeps: their names change with their content. */
export const isStatic = (route: Route): boolean => route.cache === "hashed";

/**
 * The rules of a zone by phase; a phase without rules is left out. Each rule has a `ref` that stays when others come
 * and go: by it, Cloudflare and its provider tell which rule is which.
 */
export function renderRulesets(zone: Cloudflare, sites: readonly Site[]): Readonly<Record<string, Rule[]>> {
  const phases = {
    http_request_firewall_custom: Object.entries(zone.firewall.rules).map(([name, one]) => custom(name, one)),
    http_request_firewall_managed: zone.firewall.managed.map(managed),
    http_ratelimit: Object.entries(zone.rateLimits).flatMap(([name, one]) => limited(name, one, zone, sites)),
    http_request_cache_settings: cached(zone, sites),
    http_response_headers_transform: headers(zone, sites),
  };
  return Object.fromEntries(Object.entries(phases).filter(([, rules]) => rules.length > 0));
}

const set = (words: readonly string[]): string => `{${words.map(literal).join(" ")}}`;

function custom(name: string, one: FirewallRule): Rule {
  const any = (parts: readonly string[]): string => `(${parts.join(" or ")})`;
  const conditions = [
    one.countries && `ip.src.country in ${set(one.countries)}`,
    one.exceptCountries && `not ip.src.country in ${set(one.exceptCountries)}`,
    one.userAgents &&
      any(one.userAgents.map((agent) => `lower(http.user_agent) contains ${literal(agent.toLowerCase())}`)),
    one.paths && any(one.paths.map((path) => prefixExpression(path) ?? "true")),
    one.expression && `(${one.expression})`,
    one.exceptVerifiedBots ? "not cf.client.bot" : undefined,
    one.exceptAddresses.length > 0 ? `not ip.src in {${one.exceptAddresses.join(" ")}}` : undefined,
  ].filter((condition) => condition !== undefined);
  return {
    ref: `berth-${name}`,
    description: name,
    action: one.action,
    expression: conditions.join(" and "),
    enabled: true,
  };
}

function managed(name: keyof typeof managedIds): Rule {
  return {
    ref: `berth-${name}`,
    description: `${name} rules of Cloudflare`,
    action: "execute",
    expression: "true",
    enabled: true,
    actionParameters: { id: managedIds[name] },
  };
}

function limited(
  name: string,
  { requests, period, block }: Cloudflare["rateLimits"][string],
  zone: Cloudflare,
  sites: readonly Site[],
): Rule[] {
  const host = planLimits[zone.plan].rateLimitsByHost;
  const expression = routesExpression(sites, (route) => route.limit === name, { host });
  if (expression === undefined) return [];
  return [
    {
      ref: `berth-${name}`,
      description: `limit ${name}`,
      action: "block",
      expression,
      enabled: true,
      ratelimit: {
        // Cloudflare counts per data center and takes no rule that does not say so.
        characteristics: ["cf.colo.id", "ip.src"],
        period: milliseconds(period) / 1000,
        requestsPerPeriod: requests,
        mitigationTimeout: milliseconds(block) / 1000,
      },
    },
  ];
}

/** Of rules that hold for a request, the last one decides: nothing is kept, but what the system calls static. */
function cached(zone: Cloudflare, sites: readonly Site[]): Rule[] {
  const expression = routesExpression(sites, isStatic);
  if (expression === undefined) return [];
  const ttl = zone.cache.edgeTtl;
  const rest = routesExpression(sites, (route) => !isStatic(route));
  return [
    ...(rest === undefined
      ? []
      : [
          {
            ref: "berth-not-static",
            description: "answers of applications",
            action: "set_cache_settings",
            expression: rest,
            enabled: true,
            actionParameters: { cache: false },
          },
        ]),
    {
      ref: "berth-static",
      description: "static files",
      action: "set_cache_settings",
      expression,
      enabled: true,
      actionParameters: {
        cache: true,
        edgeTtl:
          ttl === undefined
            ? { mode: "respect_origin" }
            : { mode: "override_origin", default: milliseconds(ttl) / 1000 },
        browserTtl: { mode: "respect_origin" },
      },
    },
  ];
}

function headers(zone: Cloudflare, sites: readonly Site[]): Rule[] {
  const given = Object.entries(zone.headers);
  if (given.length === 0) return [];
  return [
    {
      ref: "berth-headers",
      description: "response headers",
      action: "rewrite",
      expression: `http.host in ${set([...new Set(sites.map(({ host }) => host))])}`,
      enabled: true,
      actionParameters: {
        // `set` replaces: a header that an application sends too is not sent twice.
        headers: Object.fromEntries(given.map(([name, value]) => [name, { operation: "set", value }])),
      },
    },
  ];
}
