import type {
  AccessRuleArgs,
  ArgoTieredCachingArgs,
  BotManagementArgs,
  RegionalTieredCacheArgs,
  TieredCacheArgs,
  ZoneArgs,
} from "@pulumi/cloudflare";
import { isIP } from "node:net";
import type { CheckFailure, Properties } from "../../framework/types.ts";
import { foreign, list, object, text, told, truth, type Attribute } from "../attributes.ts";
import { eitherImport, eitherScope, restResource, scopePath, zoneImport } from "../rest.ts";

/** A switch of the cache, `on` or `off`. */
const cacheSwitch = (path: string, value: Attribute, removable: boolean) =>
  restResource({
    inputs: { value, zoneId: text({ required: true, replaces: true }) } satisfies Record<
      keyof TieredCacheArgs & keyof RegionalTieredCacheArgs & keyof ArgoTieredCachingArgs,
      Attribute
    >,
    outputs: { editable: told(), modifiedOn: told() },
    inPath: ["zoneId"],
    path: ({ zoneId }) => `zones/${String(zoneId)}/${path}`,
    importForm: "<zone_id>",
    imported: zoneImport,
    single: true,
    create: "PATCH",
    update: "PATCH",
    ...(removable ? { delete: "DELETE" } : {}),
  });

const onOff = { oneOf: ["on", "off"] };
export const tieredCache = cacheSwitch(
  "cache/tiered_cache_smart_topology_enable",
  text({ required: true, ...onOff }),
  true,
);
export const argoTieredCaching = cacheSwitch("argo/tiered_caching", text({ required: true, ...onOff }), false);
export const regionalTieredCache = cacheSwitch(
  "cache/regional_tiered_cache",
  text({ initial: "off", ...onOff }),
  false,
);

/** `cloudflare.AccessRule`: addresses, networks and countries, let in or not. */
export const accessRule = restResource({
  inputs: {
    accountId: text({ replaces: true }),
    configuration: object(
      { target: text({ oneOf: ["ip", "ip6", "ip_range", "asn", "country"] }), value: text() },
      { required: true },
    ),
    mode: text({ required: true, oneOf: ["block", "challenge", "whitelist", "js_challenge", "managed_challenge"] }),
    notes: text({ initial: "" }),
    zoneId: text({ replaces: true }),
  } satisfies Record<keyof AccessRuleArgs, Attribute>,
  outputs: { allowedModes: told(), createdOn: told(), modifiedOn: told(), scope: told() },
  inPath: ["accountId", "zoneId"],
  path: (properties) => `${scopePath(properties)}/firewall/access_rules/rules`,
  importForm: "<{accounts|zones}/{account_id|zone_id}>/<rule_id>",
  imported: eitherImport,
  create: "POST",
  update: "PATCH",
  delete: "DELETE",
  check: (news) => [...eitherScope(news), ...rangeFailures(news)],
});

function rangeFailures(news: Properties): CheckFailure[] {
  const { value } = news["configuration"] as Properties;
  if (typeof value !== "string") return [];
  const [start = "", bits = ""] = value.split("/");
  const allowed = isIP(start) === 4 ? ["16", "24"] : ["32", "48", "64"];
  const property = "configuration.value";
  if (value.includes("/") && isIP(start) !== 0 && !allowed.includes(bits))
    return [{ property, reason: `prefix length /${bits}, but only ${allowed.join(", ")} are allowed` }];
  if (isIP(value) === 6 && value.includes("::")) return [{ property, reason: "IPv6 address must be in long form" }];
  return [];
}

const zoneDetails = [
  ...["activatedOn", "cnameSuffix", "createdOn", "developmentMode", "meta", "modifiedOn", "nameServers", "owner"],
  ...["originalDnshost", "originalNameServers", "originalRegistrar", "permissions", "plan", "status", "tenant"],
  ...["tenantUnit", "verificationKey"],
];

/** `cloudflare.Zone`: deleting it deletes the zone with everything in it, as the real provider does. */
export const zone = restResource({
  inputs: {
    account: object({ id: text() }, { required: true, replaces: true }),
    name: text({ required: true, replaces: true }),
    paused: truth({ initial: false }),
    type: text({ initial: "full", oneOf: ["full", "partial", "secondary", "internal"] }),
    vanityNameServers: list(text(), { computed: true }),
  } satisfies Record<keyof ZoneArgs, Attribute>,
  outputs: Object.fromEntries(zoneDetails.map((key) => [key, told()])),
  inPath: [],
  path: () => "zones",
  importForm: "<zone_id>",
  imported: ([id, ...rest]) => (id === undefined || rest.length > 0 ? undefined : { id }),
  create: "POST",
  update: "PATCH",
  delete: "DELETE",
});

const byService = { computed: true } as const;
const acts = { ...byService, oneOf: ["allow", "block", "managed_challenge"] };

/** `cloudflare.BotManagement`: which of its fields a zone has depends on the plan. */
export const botManagement = restResource({
  inputs: {
    aiBotsMigrationOptOut: foreign,
    aiBotsProtection: text({ ...byService, oneOf: ["block", "disabled", "only_on_ad_pages"] }),
    aiTraining: foreign,
    aiUser: foreign,
    aisearch: foreign,
    autoUpdateModel: truth(byService),
    bmCookieEnabled: truth(byService),
    botPreferenceSyncEnabled: foreign,
    cfRobotsVariant: text(byService),
    contentBotsProtection: text({ ...byService, stable: true }),
    crawlerProtection: text(byService),
    enableJs: truth(byService),
    fightMode: truth(byService),
    isRobotsTxtManaged: truth({ initial: false }),
    jsdApiResultsEnabled: foreign,
    optimizeWordpress: truth(byService),
    sbfmDefinitelyAutomated: text(acts),
    sbfmLikelyAutomated: text(acts),
    sbfmStaticResourceProtection: truth(byService),
    sbfmVerifiedBots: text(byService),
    suppressSessionScore: truth(byService),
    zoneId: text({ required: true, replaces: true }),
  } satisfies Record<keyof BotManagementArgs, Attribute>,
  outputs: { staleZoneConfiguration: told(), usingLatestModel: told() },
  inPath: ["zoneId"],
  path: ({ zoneId }) => `zones/${String(zoneId)}/bot_management`,
  importForm: "<zone_id>",
  imported: zoneImport,
  single: true,
  create: "PUT",
  update: "PUT",
});
