import { bytes } from "../shared/size.ts";
import { milliseconds, type Duration } from "../shared/duration.ts";
import { planLimits, rateLimitSeconds, type Plan } from "./cloudflare-plans.ts";
import type { Cloudflare } from "./cloudflare.ts";
import type { Finding, Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { originPullRules } from "./origin-pulls.ts";
import { list, show } from "./refusals.ts";
import { securityHeaderNames } from "./security.ts";
import type { SystemParts } from "./system-rules.ts";

/* Rules across what a stack file says about Cloudflare: the plan's limits, the zone's names, what goes together. */

type Zone = Parts<Cloudflare>;

export function cloudflareRules(
  zone: Zone | "none" | undefined,
  domain: string | undefined,
  edgeHosts: number | undefined,
): Finding[] {
  if (zone === undefined || zone === "none") return [];
  return [
    ...recordRules(zone, domain),
    ...ownRules(zone),
    ...firewallRules(zone),
    ...rateRules(zone),
    ...balancerRules(zone, edgeHosts),
    ...adoptRules(zone),
    ...originPullRules(zone),
  ];
}

const path = (...steps: Path): Path => ["cloudflare", ...steps];
const planOf = (zone: Zone): Plan => zone.plan ?? "free";

function recordRules(zone: Zone, domain: string | undefined): Finding[] {
  const apex = zone.zone ?? domain;
  if (apex === undefined || domain === undefined) return [];
  const names = (zone.records ?? []).map((one) => one.name?.replaceAll("${domain}", domain));
  return names.flatMap((name, index) =>
    name === undefined || isWithin(name, apex)
      ? []
      : [{ path: path("records", index, "name"), message: outside(name, apex) }],
  );
}

const isWithin = (name: string, apex: string): boolean => name === apex || name.endsWith(`.${apex}`);
const outside = (name: string, apex: string): string =>
  `is not in the zone, got ${show(name)}; use a name below ${apex}, or name the zone in cloudflare.zone`;

/** Settings and rules belong to whoever manages the zone, and do nothing for visitors who do not come through it. */
function ownRules(zone: Zone): Finding[] {
  const given = [
    ...(Object.keys(zone.firewall?.rules ?? {}).length > 0 ? [["firewall", "rules"]] : []),
    ...((zone.firewall?.managed ?? []).length > 0 ? [["firewall", "managed"]] : []),
    ...(Object.keys(zone.rateLimits ?? {}).length > 0 ? [["rateLimits"]] : []),
    ...(Object.keys(zone.headers ?? {}).length > 0 ? [["headers"]] : []),
    ...(zone.access === undefined ? [] : [["access"]]),
  ];
  const reason =
    zone.proxied !== true
      ? "does nothing, since visitors do not come through Cloudflare; write proxied: true, or remove it"
      : zone.manages === "records"
        ? "belongs to the stack that manages the zone; move it there, or write manages: zone"
        : undefined;
  const wrong = reason === undefined ? [] : given.map((steps) => ({ path: path(...steps), message: reason }));
  const { access } = zone;
  if (access === undefined) return wrong;
  const nobody = (access.emails ?? []).length + (access.emailDomains ?? []).length === 0;
  return [
    ...wrong,
    ...(nobody ? [{ path: path("access"), message: "lets nobody in; name emails or emailDomains" }] : []),
    ...(zone.accountId === undefined
      ? [{ path: path("accountId"), message: "is missing; add the account's id, which access needs" }]
      : []),
  ];
}

function firewallRules(zone: Zone): Finding[] {
  const plan = planOf(zone);
  const limits = planLimits[plan];
  const rules = Object.entries(zone.firewall?.rules ?? {});
  const link = "https://developers.cloudflare.com/waf/custom-rules/";
  return [
    ...(zone.firewall?.managed ?? []).flatMap((name, index) =>
      limits.managedRulesets.includes(name)
        ? []
        : [
            {
              path: path("firewall", "managed", index),
              message: `needs the plan pro, got ${show(name)} on ${plan}; remove it, or change the plan`,
            },
          ],
    ),
    ...(rules.length > limits.customRules
      ? [
          {
            path: path("firewall", "rules"),
            message: `has more rules than the plan ${plan} allows, got ${rules.length}; keep ${limits.customRules}, see ${link}`,
          },
        ]
      : []),
    ...rules.flatMap(([name, one]) => ruleRules(path("firewall", "rules", name), one, plan)),
  ];
}

function ruleRules(at: Path, one: NonNullable<NonNullable<Zone["firewall"]>["rules"]>[string], plan: Plan): Finding[] {
  const limits = planLimits[plan];
  const matches = [one.countries, one.exceptCountries, one.userAgents, one.paths, one.expression];
  return [
    ...(matches.every((part) => part === undefined)
      ? [{ path: at, message: "holds for every request; give countries, userAgents, paths or an expression" }]
      : []),
    ...(one.action === "log" && !limits.logAction
      ? [{ path: [...at, "action"], message: `needs the plan enterprise, got "log" on ${plan}; use managed_challenge` }]
      : []),
    ...(one.expression !== undefined && /\bmatches\b|~/.test(one.expression) && !limits.regularExpressions
      ? [
          {
            path: [...at, "expression"],
            message: `has a regular expression, which needs the plan business, got ${plan}; use contains or wildcard`,
          },
        ]
      : []),
  ];
}

function rateRules(zone: Zone): Finding[] {
  const plan = planOf(zone);
  const limits = planLimits[plan];
  const all = Object.entries(zone.rateLimits ?? {});
  const link = "https://developers.cloudflare.com/waf/rate-limiting-rules/#availability";
  const length = (at: Path, value: Duration | undefined, longest: Duration): Finding[] => {
    if (value === undefined) return [];
    const seconds = milliseconds(value) / 1000;
    if (seconds > milliseconds(longest) / 1000) {
      return [
        {
          path: at,
          message: `is longer than the plan ${plan} allows, got ${show(value)}; write at most ${show(longest)}, see ${link}`,
        },
      ];
    }
    if (rateLimitSeconds.includes(seconds)) return [];
    const known = rateLimitSeconds.filter((one) => one <= milliseconds(longest) / 1000).map((one) => `${one} s`);
    return [
      { path: at, message: `is not a length that Cloudflare knows, got ${show(value)}; use ${list(known, "or")}` },
    ];
  };
  return [
    ...(all.length > limits.rateLimits
      ? [
          {
            path: path("rateLimits"),
            message: `has more rules than the plan ${plan} allows, got ${all.length}; keep ${limits.rateLimits}, see ${link}`,
          },
        ]
      : []),
    ...all.flatMap(([name, one]) => [
      ...length(path("rateLimits", name, "period"), one.period, limits.longestPeriod),
      ...length(path("rateLimits", name, "block"), one.block, limits.longestBlock),
    ]),
    ...cacheRules(zone, plan),
  ];
}

function cacheRules({ cache }: Zone, plan: Plan): Finding[] {
  const { shortestEdgeTtl } = planLimits[plan];
  const given = cache?.edgeTtl;
  if (given === undefined || milliseconds(given) >= milliseconds(shortestEdgeTtl)) return [];
  const message = `is shorter than the plan ${plan} allows, got ${show(given)}; write at least ${show(shortestEdgeTtl)}`;
  return [{ path: path("cache", "edgeTtl"), message }];
}

/** Not a matter of who manages the zone: balancers stand beside its rules. */
function balancerRules(zone: Zone, edgeHosts: number | undefined): Finding[] {
  const { loadBalancer } = zone;
  if (loadBalancer === undefined) return [];
  const plan = planOf(zone);
  const { shortestCheck } = planLimits[plan];
  const { interval } = loadBalancer;
  const seconds = interval === undefined ? undefined : milliseconds(interval) / 1000;
  const wrong =
    seconds === undefined || (seconds >= milliseconds(shortestCheck) / 1000 && seconds <= 3600)
      ? []
      : [
          {
            path: path("loadBalancer", "interval"),
            message: `is not a time that the plan ${plan} allows, got ${show(interval)}; write ${show(shortestCheck)} to "1 hour"`,
          },
        ];
  return [
    ...wrong,
    ...(zone.proxied === true
      ? []
      : [
          {
            path: path("loadBalancer"),
            message: "does nothing, since visitors do not come through Cloudflare; write proxied: true, or remove it",
          },
        ]),
    ...(edgeHosts === undefined || edgeHosts > 1
      ? []
      : [
          {
            path: path("loadBalancer"),
            message: `has nothing to choose from, got ${edgeHosts} edge host${edgeHosts === 1 ? "" : "s"}; label another host edge: "true", or remove it`,
          },
        ]),
    ...(zone.accountId === undefined && zone.access === undefined
      ? [{ path: path("accountId"), message: "is missing; add the account's id, which loadBalancer needs" }]
      : []),
  ];
}

function adoptRules(zone: Zone): Finding[] {
  return Object.entries(zone.adopt ?? {}).flatMap(([name, id]) => {
    if (zone.zoneId === undefined) return [];
    const ours = [zone.zoneId, zone.accountId].some((own) => own !== undefined && id.split("/").includes(own));
    const message = `is not of this zone, got ${show(id)}; write <zone>/<record>, zones/<zone>/<ruleset> or zones/<zone>/<application>`;
    return ours ? [] : [{ path: path("adopt", name), message }];
  });
}

/** What only the system knows: its limits, its routes, its headers. */
export function cloudflareSystemRules(
  zone: Zone | "none" | undefined,
  system: SystemParts,
  limits: readonly string[],
  domain: string | undefined,
): Finding[] {
  if (zone === undefined || zone === "none") return [];
  const sites = system.edge?.sites ?? [];
  const apex = zone.zone ?? domain;
  const cure = limits.length === 0 ? "remove it" : `use ${list(limits, "or")}`;
  const own = sites.flatMap((site) => Object.keys(site.headers ?? {}));
  const sent = new Set([...Object.keys(securityHeaderNames), ...own].map((name) => name.toLowerCase()));
  const { upload } = planLimits[planOf(zone)];
  return [
    ...Object.keys(zone.rateLimits ?? {}).flatMap((name) => {
      if (!limits.includes(name))
        return [{ path: path("rateLimits", name), message: `is not a limit of the system; ${cure}` }];
      const used = sites.some((site) => (site.routes ?? []).some((route) => route.limit === name));
      return used ? [] : [{ path: path("rateLimits", name), message: "is a limit of no route; remove it" }];
    }),
    ...Object.keys(zone.headers ?? {}).flatMap((name) =>
      sent.has(name.toLowerCase())
        ? [{ path: path("headers", name), message: "is sent by the edge already; keep it in one place, the system" }]
        : [],
    ),
    ...(zone.access !== undefined &&
    !sites.some((site) => (site.routes ?? []).some((route) => route.access === "operators"))
      ? [
          {
            path: path("access"),
            message: 'protects nothing; give a route of the system access: "operators", or remove it',
          },
        ]
      : []),
    ...sites.flatMap((site) => {
      const host = domain === undefined ? undefined : site.host?.replaceAll("${domain}", domain);
      if (host === undefined || apex === undefined) return [];
      const far = isWithin(host, apex) ? [] : [{ path: path("zone"), message: outside(host, apex) }];
      const large =
        zone.proxied !== true
          ? []
          : (site.routes ?? []).flatMap((route) =>
              route.bodySize === undefined || bytes(route.bodySize) <= bytes(upload)
                ? []
                : [
                    {
                      path: path("plan"),
                      message: `takes bodies up to ${upload}, got ${show(route.bodySize)} on ${host}${route.path ?? ""}; change the plan, or the route's bodySize`,
                    },
                  ],
            );
      return [...far, ...large];
    }),
  ];
}
