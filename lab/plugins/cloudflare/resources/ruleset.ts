import type { RulesetArgs, types } from "@pulumi/cloudflare";
import { unknown, type CheckFailure, type Properties } from "../../framework/types.ts";
import { foreign, hexId, list, map, number, object, text, told, truth } from "../attributes.ts";
import type { Attribute } from "../attributes.ts";
import { eitherImport, eitherScope, restResource, scopePath } from "../rest.ts";

type Input = types.input.RulesetRuleActionParameters;

const sensitivity = ["default", "medium", "low", "eoff"];
const override = {
  action: text({ pattern: /^[a-z_]+$/ }),
  enabled: truth(),
  sensitivityLevel: text({ oneOf: sensitivity }),
};
const names = (wire: string): Attribute => list(text(), { atLeast: 1, wire });
const selection = object({ all: truth(), lists: names("list") });
const ids = list(text({ pattern: hexId }), { atLeast: 1 });

/** Parameters of an action, by the action that takes them. */
const parametersOf = {
  block: {
    response: object({
      content: text({ required: true }),
      contentType: text({ required: true }),
      statusCode: number({ required: true, between: [400, 499] }),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersResponse, Attribute>),
  },
  execute: {
    id: text({ pattern: hexId }),
    overrides: object({
      ...override,
      categories: list(object({ ...override, category: text({ required: true }) }), { atLeast: 1 }),
      rules: list(object({ ...override, id: text({ required: true, pattern: hexId }), scoreThreshold: number() }), {
        atLeast: 1,
      }),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersOverrides, Attribute>),
  },
  skip: {
    phases: list(text(), { atLeast: 1 }),
    products: list(text(), { atLeast: 1 }),
    rules: map(ids),
    ruleset: text(),
    rulesets: ids,
  },
  rewrite: {
    headers: map(
      object({
        operation: text({ required: true, oneOf: ["add", "set", "remove"] }),
        value: text(),
        expression: text(),
      } satisfies Record<keyof types.input.RulesetRuleActionParametersHeaders, Attribute>),
    ),
  },
  redirect: {
    fromValue: object({
      preserveQueryString: truth({ computed: true, initial: false }),
      statusCode: number({ oneOf: [301, 302, 303, 307, 308] }),
      targetUrl: object({ value: text(), expression: text() }, { required: true }),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersFromValue, Attribute>),
  },
  set_cache_settings: {
    additionalCacheablePorts: list(number({ between: [1, 65_535] }), { atLeast: 1 }),
    browserTtl: object({
      mode: text({ required: true, oneOf: ["respect_origin", "bypass_by_default", "override_origin", "bypass"] }),
      default: number({ between: [0, Number.MAX_SAFE_INTEGER] }),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersBrowserTtl, Attribute>),
    cache: truth(),
    cacheKey: object({
      cacheByDeviceType: truth(),
      cacheDeceptionArmor: truth(),
      ignoreQueryStringsOrder: truth(),
      customKey: object({
        cookie: object({ checkPresences: names("check_presence"), includes: names("include") }),
        header: object({
          checkPresences: names("check_presence"),
          contains: map(list(text(), { atLeast: 1 })),
          excludeOrigin: truth(),
          includes: names("include"),
        }),
        host: object({ resolved: truth() }),
        queryString: object({ include: selection, exclude: selection }),
        user: object({ deviceType: truth(), geo: truth(), lang: truth() }),
      } satisfies Record<keyof types.input.RulesetRuleActionParametersCacheKeyCustomKey, Attribute>),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersCacheKey, Attribute>),
    edgeTtl: object({
      default: number({ between: [0, Number.MAX_SAFE_INTEGER] }),
      mode: text({ required: true, oneOf: ["respect_origin", "bypass_by_default", "override_origin"] }),
      statusCodeTtls: list(
        object({
          statusCode: number({ between: [100, 999] }),
          statusCodeRange: object({ from: number({ between: [100, 999] }), to: number({ between: [100, 999] }) }),
          value: number({ required: true }),
        }),
        { atLeast: 1, wire: "status_code_ttl" },
      ),
    } satisfies Record<keyof types.input.RulesetRuleActionParametersEdgeTtl, Attribute>),
    originCacheControl: truth(),
    originErrorPagePassthru: truth(),
    readTimeout: number({ between: [100, 6000] }),
    respectStrongEtags: truth(),
    serveStale: object({ disableStaleWhileUpdating: truth() }),
  },
} satisfies Record<string, Partial<Record<keyof Input, Attribute>>>;

const parameters = {
  ...parametersOf.block,
  ...parametersOf.execute,
  ...parametersOf.skip,
  ...parametersOf.rewrite,
  ...parametersOf.redirect,
  ...parametersOf.set_cache_settings,
  algorithms: foreign,
  assetName: foreign,
  automaticHttpsRewrites: foreign,
  autominify: foreign,
  bic: foreign,
  cacheReserve: foreign,
  content: foreign,
  contentConverter: foreign,
  contentType: foreign,
  cookieFields: foreign,
  disableApps: foreign,
  disableRum: foreign,
  disableZaraz: foreign,
  emailObfuscation: foreign,
  expression: foreign,
  fonts: foreign,
  fromList: foreign,
  hostHeader: foreign,
  hotlinkProtection: foreign,
  immutable: foreign,
  increment: foreign,
  matchedData: foreign,
  maxAge: foreign,
  mirage: foreign,
  mustRevalidate: foreign,
  mustUnderstand: foreign,
  noCache: foreign,
  noStore: foreign,
  noTransform: foreign,
  operation: foreign,
  opportunisticEncryption: foreign,
  origin: foreign,
  originRangeRequests: foreign,
  polish: foreign,
  private: foreign,
  proxyRevalidate: foreign,
  public: foreign,
  rawResponseFields: foreign,
  redirectsForAiTraining: foreign,
  requestBodyBuffering: foreign,
  requestFields: foreign,
  responseBodyBuffering: foreign,
  responseFields: foreign,
  rocketLoader: foreign,
  sMaxage: foreign,
  securityLevel: foreign,
  serverSideExcludes: foreign,
  sni: foreign,
  ssl: foreign,
  staleIfError: foreign,
  staleWhileRevalidate: foreign,
  statusCode: foreign,
  stripEtags: foreign,
  stripLastModified: foreign,
  stripSetCookie: foreign,
  sxg: foreign,
  transformedRequestFields: foreign,
  uri: foreign,
  values: foreign,
  vary: foreign,
} satisfies Record<keyof Input, Attribute>;

const actions = [
  ...["block", "challenge", "compress_response", "ddos_dynamic", "execute", "force_connection_close", "js_challenge"],
  ...["log", "log_custom_field", "managed_challenge", "redirect", "rewrite", "route", "score", "serve_error"],
  ...["set_cache_control", "set_cache_settings", "set_cache_tags", "set_config", "skip"],
];

const rule = {
  action: text({ required: true, oneOf: actions }),
  actionParameters: object(parameters, { initial: {} }),
  description: text({ initial: "" }),
  enabled: truth({ initial: true }),
  exposedCredentialCheck: foreign,
  expression: text({ required: true, pattern: /[^]/ }),
  id: text({ readOnly: true }),
  logging: object({ enabled: truth({ computed: true }) }, { computed: true }),
  ratelimit: object({
    characteristics: list(text(), { required: true, atLeast: 1 }),
    countingExpression: text({ pattern: /[^]/ }),
    mitigationTimeout: number({ computed: true }),
    period: number({ required: true, between: [0, Number.MAX_SAFE_INTEGER] }),
    requestsPerPeriod: number({ between: [1, Number.MAX_SAFE_INTEGER] }),
    requestsToOrigin: truth({ initial: false }),
    scorePerPeriod: foreign,
    scoreResponseHeaderName: foreign,
  } satisfies Record<keyof types.input.RulesetRuleRatelimit, Attribute>),
  ref: text({ computed: true, pattern: /[^]/ }),
} satisfies Record<keyof types.input.RulesetRule, Attribute>;

const phases = [
  ...["ddos_l4", "ddos_l7", "http_config_settings", "http_custom_errors", "http_log_custom_fields", "http_ratelimit"],
  ...["http_request_cache_settings", "http_request_dynamic_redirect", "http_request_firewall_custom"],
  ...["http_request_firewall_managed", "http_request_late_transform", "http_request_origin", "http_request_redirect"],
  ...["http_request_sanitize", "http_request_sbfm", "http_request_transform", "http_response_cache_settings"],
  ...["http_response_compression", "http_response_firewall_managed", "http_response_headers_transform"],
  ...["magic_transit", "magic_transit_ids_managed", "magic_transit_managed", "magic_transit_ratelimit"],
];

/** `cloudflare.Ruleset`: all rules of a zone's phase. A new one before the old one goes is refused by the service. */
export const ruleset = restResource({
  inputs: {
    accountId: text({ replaces: true, pattern: hexId }),
    description: text({ initial: "" }),
    kind: text({ required: true, replaces: true, oneOf: ["managed", "custom", "root", "zone"] }),
    name: text({ required: true, replaces: true, pattern: /[^]/ }),
    phase: text({ required: true, replaces: true, oneOf: phases }),
    rules: list(object(rule), { initial: [] }),
    zoneId: text({ replaces: true, pattern: hexId }),
  } satisfies Record<keyof RulesetArgs, Attribute>,
  outputs: { lastUpdated: told(), version: told() },
  inPath: ["accountId", "zoneId"],
  path: (properties) => `${scopePath(properties)}/rulesets`,
  importForm: "<{accounts|zones}/{account_id|zone_id}>/<ruleset_id>",
  imported: eitherImport,
  create: "POST",
  update: "PUT",
  delete: "DELETE",
  check: (news) => [...eitherScope(news), ...misplaced(news)],
  read: (live) => ({ ...live, rules: ((live["rules"] ?? []) as Properties[]).map(readRule) }),
});

/** The service says nothing where the provider has an empty object, and lists where it has an object around one. */
function readRule(rule: Properties): Properties {
  const parameters = (rule["actionParameters"] ?? {}) as Properties;
  return { ...rule, actionParameters: parameters };
}

/** Parameters that the rule's action does not take, as the real schema refuses them. */
function misplaced(news: Properties): CheckFailure[] {
  if (!Array.isArray(news["rules"])) return [];
  return (news["rules"] as Properties[]).flatMap((rule, index) => {
    if (rule["action"] === unknown || typeof rule["actionParameters"] !== "object") return [];
    return Object.entries(parametersOf).flatMap(([action, own]) =>
      Object.keys(own)
        .filter((key) => action !== rule["action"] && (rule["actionParameters"] as Properties)[key] !== undefined)
        .map((key) => ({
          property: `rules[${index}].actionParameters.${key}`,
          reason: `can only be set if "action" is one of: "${action}"`,
        })),
    );
  });
}
