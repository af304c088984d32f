import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import type { Cloudflare } from "../config/cloudflare.ts";
import type { System } from "../config/system.ts";
import { dockerDuration } from "../shared/duration.ts";
import { cloudflare } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import { adopted, type AtCloudflare } from "./adopted.ts";
import { explainer } from "./explainer.ts";
import { renderRulesets } from "./rulesets.render.ts";

export interface ZoneRulesArgs {
  readonly config: Pick<Config, "cloudflare" | "system">;
}

/** Cloudflare's ids of the settings. */
const settingIds: Readonly<Record<keyof Cloudflare["settings"], string>> = {
  ssl: "ssl",
  minTlsVersion: "min_tls_version",
  tls13: "tls_1_3",
  http3: "http3",
  zeroRtt: "0rtt",
  alwaysUseHttps: "always_use_https",
  automaticHttpsRewrites: "automatic_https_rewrites",
  websockets: "websockets",
  browserCacheTtl: "browser_cache_ttl",
};

/**
 * How Cloudflare serves the visitors of a proxied zone: settings, one ruleset for each phase that has rules, tiered
 * cache, a login before routes for operators.
 *
 * @example
 * new ZoneRules("zone", { config });
 *
 * Creates: `cloudflare.ZoneSetting`, `Ruleset`, `TieredCache`, `ZeroTrustAccessPolicy` and one
 * `ZeroTrustAccessApplication` per site with such routes; nothing for a zone that is not proxied or that another stack
 * manages. The zone itself is never declared, so no run of the program can delete it.
 * Stateful: no; settings keep their values when they, or the stack, go.
 */
export class ZoneRules extends pulumi.ComponentResource {
  /** Passed when all of it is there. */
  readonly ready: Ready;

  constructor(name: string, args: ZoneRulesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloudflare: zone, system } = args.config;
    super("berth:cloudflare:ZoneRules", name, {}, opts);

    const refusals = explainer();
    this.ready = pulumi.output(
      zone === "none" || !zone.proxied || zone.manages === "records"
        ? []
        : createRules(name, system, { zone, parent: this, refusals }),
    );

    this.registerOutputs({});
  }
}

function createRules(name: string, system: System, at: AtCloudflare): pulumi.Resource[] {
  return [
    ...createSettings(name, at),
    ...createRulesets(name, system, at),
    ...createTieredCache(name, at),
    ...createAccess(name, system, at),
  ];
}

function createSettings(name: string, at: AtCloudflare): pulumi.Resource[] {
  const { zone } = at;
  return Object.entries(settingIds).map(([key, settingId]) => {
    const own = `${name}-${settingId}`;
    const value = zone.settings[key as keyof Cloudflare["settings"]];
    const options = adopted(at, own);
    return new cloudflare.ZoneSetting(own, { zoneId: zone.zoneId, settingId, value }, options);
  });
}

function createRulesets(name: string, system: System, at: AtCloudflare): pulumi.Resource[] {
  const { zone } = at;
  const fixed = { zoneId: zone.zoneId, kind: "zone", name: "berth", description: `Managed by berth: ${system.name}` };
  return Object.entries(renderRulesets(zone, system.edge.sites)).map(([phase, rules]) => {
    const own = `${name}-${phase}`;
    // Another name would be another ruleset, of which a phase has one: an adopted one keeps its own.
    return new cloudflare.Ruleset(own, { ...fixed, phase, rules }, adopted(at, own, ["name"]));
  });
}

function createTieredCache(name: string, at: AtCloudflare): pulumi.Resource[] {
  const { zone } = at;
  const own = `${name}-tiered-cache`;
  const value = zone.cache.tiered ? "on" : "off";
  return [new cloudflare.TieredCache(own, { zoneId: zone.zoneId, value }, adopted(at, own))];
}

function createAccess(name: string, system: System, at: AtCloudflare): pulumi.Resource[] {
  const { zone } = at;
  const { access, accountId } = zone;
  if (access === undefined || accountId === undefined) return [];
  const policyName = `${name}-access-policy`;
  const policy = new cloudflare.ZeroTrustAccessPolicy(
    policyName,
    {
      accountId,
      name: `${system.name} operators`,
      decision: "allow",
      includes: [
        ...access.emails.map((email) => ({ email: { email } })),
        ...access.emailDomains.map((domain) => ({ emailDomain: { domain } })),
      ],
    },
    adopted(at, policyName),
  );
  const applications = system.edge.sites.flatMap((site) => {
    const paths = site.routes.filter((route) => route.access === "operators").map(({ path }) => path);
    if (paths.length === 0) return [];
    const own = `${name}-access-${site.host}`;
    return [
      new cloudflare.ZeroTrustAccessApplication(
        own,
        {
          zoneId: zone.zoneId,
          name: `${system.name} ${site.host}`,
          type: "self_hosted",
          // A path stands for itself and what is below it.
          destinations: paths.map((path) => ({ type: "public", uri: `${site.host}${path.replace(/\/+$/, "")}` })),
          sessionDuration: dockerDuration(access.session),
          policies: [{ id: policy.id, precedence: 1 }],
          httpOnlyCookieAttribute: true,
        },
        adopted(at, own),
      ),
    ];
  });
  return [policy, ...applications];
}
