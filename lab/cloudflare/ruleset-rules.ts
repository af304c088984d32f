import { z } from "zod";
import type { Problem } from "./errors.ts";
import { filterProblem, valueProblem, type Language } from "./expression.ts";
import type { Limits } from "./plans.ts";
import type { Group } from "./tokens.ts";
import { hexId, text } from "./schema.ts";

/** Managed rulesets of Cloudflare, by id. */
export const managedRulesets = {
  efb7b8c949ac4650a09736fc376e9aee: "Cloudflare Managed Ruleset",
  "4814384a9e5d4991b9815dcfc25d2f1f": "Cloudflare OWASP Core Ruleset",
  c2e184081120413c86c3ab7e14069605: "Cloudflare Exposed Credentials Check Ruleset",
  "77454fe2d30c4220b5701f6fdfb893ba": "Cloudflare Managed Free Ruleset",
};
const freeRuleset = "77454fe2d30c4220b5701f6fdfb893ba";

export interface Phase {
  /** Whose permission its rulesets take. */
  readonly group: Group;
  readonly actions: readonly string[];
}

const challenges = ["challenge", "js_challenge", "managed_challenge"];

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

const actionName = z.string().regex(/^[a-z_]+$/);
const sensitivity = z.enum(["default", "medium", "low", "eoff"]);
const override = {
  action: actionName.optional(),
  enabled: z.boolean().optional(),
  sensitivity_level: sensitivity.optional(),
};
const seconds = z.int().min(0);
const status = z.int().min(100).max(999);
const names = z.array(text).min(1);
const valueOrExpression = z
  .strictObject({ value: text.optional(), expression: text.optional() })
  .refine(({ value, expression }) => (value === undefined) !== (expression === undefined), {
    error: "must have either value or expression",
  });
const query = z.strictObject({
  include: z.union([names, z.strictObject({ list: names }), z.strictObject({ all: z.literal(true) })]).optional(),
  exclude: z.union([names, z.strictObject({ list: names }), z.strictObject({ all: z.literal(true) })]).optional(),
});

/** What `action_parameters` may hold, by action. */
const parameters: Readonly<Record<string, z.ZodType>> = {
  block: z
    .strictObject({
      response: z
        .strictObject({
          status_code: z.int().min(400).max(499),
          content: text,
          content_type: z.enum(["application/json", "text/html", "text/plain", "text/xml"]),
        })
        .optional(),
    })
    .optional(),
  skip: z
    .strictObject({
      ruleset: z.literal("current").optional(),
      phases: z
        .array(z.enum(["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"]))
        .min(1)
        .optional(),
      products: z
        .array(z.enum(["bic", "hot", "rateLimit", "securityLevel", "uaBlock", "waf", "zoneLockdown"]))
        .min(1)
        .optional(),
      rulesets: z.array(hexId).min(1).optional(),
      rules: z.record(hexId, z.array(hexId).min(1)).optional(),
    })
    .refine((each) => Object.keys(each).length > 0, { error: "must say what to skip" }),
  execute: z.strictObject({
    id: hexId,
    overrides: z
      .strictObject({
        ...override,
        categories: z
          .array(z.strictObject({ ...override, category: text }))
          .min(1)
          .optional(),
        rules: z
          .array(z.strictObject({ ...override, id: hexId, score_threshold: z.int().optional() }))
          .min(1)
          .optional(),
      })
      .optional(),
  }),
  set_cache_settings: z.strictObject({
    cache: z.boolean().optional(),
    edge_ttl: z
      .strictObject({
        mode: z.enum(["respect_origin", "bypass_by_default", "override_origin"]),
        default: seconds.optional(),
        status_code_ttl: z
          .array(
            z.strictObject({
              status_code: status.optional(),
              status_code_range: z.strictObject({ from: status.optional(), to: status.optional() }).optional(),
              value: z.int().min(-1),
            }),
          )
          .min(1)
          .optional(),
      })
      .optional(),
    browser_ttl: z
      .strictObject({
        mode: z.enum(["respect_origin", "bypass_by_default", "override_origin", "bypass"]),
        default: seconds.optional(),
      })
      .optional(),
    cache_key: z
      .strictObject({
        cache_by_device_type: z.boolean().optional(),
        cache_deception_armor: z.boolean().optional(),
        ignore_query_strings_order: z.boolean().optional(),
        custom_key: z
          .strictObject({
            query_string: query.optional(),
            header: z
              .strictObject({
                include: names.optional(),
                check_presence: names.optional(),
                contains: z.record(text, names).optional(),
                exclude_origin: z.boolean().optional(),
              })
              .optional(),
            cookie: z.strictObject({ include: names.optional(), check_presence: names.optional() }).optional(),
            user: z
              .strictObject({
                device_type: z.boolean().optional(),
                geo: z.boolean().optional(),
                lang: z.boolean().optional(),
              })
              .optional(),
            host: z.strictObject({ resolved: z.boolean().optional() }).optional(),
          })
          .optional(),
      })
      .optional(),
    serve_stale: z.strictObject({ disable_stale_while_updating: z.boolean().optional() }).optional(),
    origin_cache_control: z.boolean().optional(),
    origin_error_page_passthru: z.boolean().optional(),
    respect_strong_etags: z.boolean().optional(),
    read_timeout: z.int().min(100).max(6000).optional(),
    additional_cacheable_ports: z.array(z.int().min(1).max(65_535)).min(1).optional(),
  }),
  rewrite: z.strictObject({
    headers: z
      .record(
        z.string().regex(/^[A-Za-z0-9_-]+$/),
        z.strictObject({
          operation: z.enum(["set", "add", "remove"]),
          value: text.optional(),
          expression: text.optional(),
        }),
      )
      .refine((headers) => Object.keys(headers).length > 0, { error: "must name at least one header" }),
  }),
  redirect: z.strictObject({
    from_value: z.strictObject({
      status_code: z.literal([301, 302, 303, 307, 308]).default(302),
      target_url: valueOrExpression,
      preserve_query_string: z.boolean().default(false),
    }),
  }),
};
const noParameters = z.strictObject({}).optional();

export const rule = z.strictObject({
  id: hexId.optional(),
  /** Kept by clients that send back what they were answered. */
  version: z.string().optional(),
  last_updated: z.string().optional(),
  ref: text.optional(),
  action: actionName,
  action_parameters: z.record(z.string(), z.unknown()).optional(),
  description: z.string().default(""),
  enabled: z.boolean().default(true),
  expression: z.string(),
  logging: z.strictObject({ enabled: z.boolean() }).optional(),
  ratelimit: z
    .strictObject({
      characteristics: z.array(text).min(1),
      period: z.int(),
      requests_per_period: z.int().min(1).optional(),
      mitigation_timeout: z.int().optional(),
      counting_expression: z.string().optional(),
      requests_to_origin: z.boolean().default(false),
    })
    .optional(),
});
export type Rule = z.output<typeof rule>;

type Report = (pointer: string, message: string, code?: number) => void;

/** Everything that is wrong with a rule of a phase, given what the zone's plan has. */
export function ruleProblems(rule: Rule, index: number, phase: PhaseName, limits: Limits): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (pointer, message, code = 20_120) => {
    problems.push({ code, message, source: { pointer: `/rules/${index}${pointer}` } });
  };
  const language = { response: phase.startsWith("http_response_"), regularExpressions: limits.regularExpressions };
  reportExpression("/expression", rule.expression, language, report);
  const actions: readonly string[] = phases[phase].actions;
  if (!actions.includes(rule.action))
    report(
      "/action",
      `'${rule.action}' is not a valid value for action because it is not allowed in phase ${phase}`,
      20_016,
    );
  else {
    if (rule.action === "log" && !limits.enterprise) report("/action", "not entitled to use the log action", 20_119);
    reportParameters(rule, phase, limits, language, report);
  }
  if (rule.logging && rule.action !== "skip" && rule.action !== "execute")
    report("/logging", "logging is only allowed for the actions skip and execute", 20_121);
  if (phase === "http_ratelimit") reportRateLimit(rule, limits, language, report);
  else if (rule.ratelimit) report("/ratelimit", `ratelimit is not allowed in phase ${phase}`, 20_150);
  return problems;
}

function reportExpression(pointer: string, expression: string, language: Language, report: Report): void {
  const refuse = (why: string, code: number) => {
    report(pointer, `'${expression}' is not a valid value for expression because ${why}`, code);
  };
  if (expression.trim() === "") refuse("the expression cannot be blank", 20_125);
  else if (expression.length > 4096) refuse("it is longer than 4096 characters", 20_126);
  else {
    const problem = filterProblem(expression, language);
    if (problem !== undefined) refuse(`could not parse filter expression: ${problem}`, 20_127);
  }
}

function reportParameters(rule: Rule, phase: PhaseName, limits: Limits, language: Language, report: Report): void {
  const { action, action_parameters: given } = rule;
  const parsed = (parameters[action] ?? noParameters).safeParse(given ?? undefined);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const at = [...issue.path, ...(issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [])];
      const why = issue.code === "unrecognized_keys" ? `not allowed for action ${action}` : issue.message;
      report(["/action_parameters", ...at.map(String)].join("/"), `${at.map(String).join(".")}: ${why}`, 20_021);
    }
    return;
  }
  const refuse = (path: string, why: string) => {
    report(`/action_parameters/${path}`, why, 20_021);
  };
  const value = (parsed.data ?? {}) as Parameters;
  if (action === "execute") reportManaged(value, limits, refuse);
  if (phase === "http_request_cache_settings") reportCache(value, limits, refuse);
  for (const [name, header] of Object.entries(value.headers ?? {})) reportHeader(name, header, language, refuse);
  const target = value.from_value?.target_url.expression;
  const problem = target === undefined ? undefined : valueProblem(target, language);
  if (problem !== undefined) refuse("from_value/target_url/expression", `could not parse expression: ${problem}`);
  if (rule.ratelimit && limits.rules["http_ratelimit"] === 1 && value.response)
    refuse("response", "not entitled to use a custom response");
}

/** What the checks below look at, of whichever action. */
interface Parameters {
  readonly id?: string;
  readonly cache?: boolean;
  readonly edge_ttl?: { readonly mode: string; readonly default?: number };
  readonly browser_ttl?: { readonly mode: string; readonly default?: number };
  readonly cache_key?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, Header>>;
  readonly from_value?: { readonly target_url: { readonly expression?: string } };
  readonly response?: unknown;
}

interface Header {
  readonly operation: string;
  readonly value?: string;
  readonly expression?: string;
}

type Refuse = (path: string, why: string) => void;

function reportManaged({ id = "" }: Parameters, limits: Limits, refuse: Refuse): void {
  if (!Object.hasOwn(managedRulesets, id)) refuse("id", `could not find ruleset ${id}`);
  else if (id !== freeRuleset && !limits.managedRulesets) refuse("id", `not entitled to execute the ruleset ${id}`);
}

function reportCache({ cache, edge_ttl, browser_ttl, cache_key }: Parameters, limits: Limits, refuse: Refuse): void {
  for (const [key, ttl] of Object.entries({ edge_ttl, browser_ttl })) {
    if (!ttl) continue;
    if (cache === false && key === "edge_ttl") refuse(key, `${key} is not allowed when cache is false`);
    const overrides = ttl.mode === "override_origin";
    if (overrides && ttl.default === undefined)
      refuse(`${key}/default`, "default is required for mode override_origin");
    if (!overrides && ttl.default !== undefined)
      refuse(`${key}/default`, "default is only allowed for mode override_origin");
  }
  const least = edge_ttl?.default;
  if (least !== undefined && least < limits.edgeTtl)
    refuse("edge_ttl/default", `not entitled to use an edge TTL of ${least}, must be at least ${limits.edgeTtl}`);
  if (cache_key?.["custom_key"] !== undefined && !limits.enterprise)
    refuse("cache_key/custom_key", "not entitled to use a custom cache key");
}

function reportHeader(name: string, header: Header, language: Language, refuse: Refuse): void {
  const path = `headers/${name}`;
  const given = [header.value, header.expression].filter((each) => each !== undefined).length;
  if (header.operation === "remove" ? given > 0 : given !== 1)
    refuse(path, header.operation === "remove" ? "takes no value" : "must have either value or expression");
  if (/^(cf-|x-cf-)|^(server|eh-cache-tag|eh-cdn-cache-control)$/i.test(name))
    refuse(path, `'${name}' is not a valid value for name because it is reserved`);
  const problem = header.expression === undefined ? undefined : valueProblem(header.expression, language);
  if (problem !== undefined) refuse(`${path}/expression`, `could not parse expression: ${problem}`);
}

/** Names of fields; functions and operators have no dot, texts are left out. */
function fieldsIn(expression: string): string[] {
  const outside = expression.replaceAll(/"(\\.|[^"\\])*"/g, '""');
  return [...new Set(outside.match(/\b[a-z_]+(\.[a-z_0-9]+)+/g) ?? [])];
}

function reportRateLimit(rule: Rule, limits: Limits, language: Language, report: Report): void {
  if (!rule.ratelimit) {
    report("/ratelimit", "ratelimit is required in phase http_ratelimit", 20_150);
    return;
  }
  const { characteristics, period, mitigation_timeout: timeout = 0, counting_expression } = rule.ratelimit;
  const refuse = (path: string, why: string, code = 20_155) => {
    report(`/ratelimit/${path}`, why, code);
  };
  if (!characteristics.includes("cf.colo.id")) {
    const why = "this is required as ratelimiting counting is processed at colocation level only";
    refuse("characteristics", `characteristics field is missing 'cf.colo.id', ${why}`);
  }
  const { rateLimitFields } = limits;
  for (const field of rateLimitFields ? fieldsIn(rule.expression) : [])
    if (rateLimitFields?.includes(field) === false)
      report("/expression", `not entitled to use the field ${field} in the phase http_ratelimit`, 20_120);
  const plain = ["cf.colo.id", "ip.src", ...(limits.regularExpressions ? ["cf.unique_visitor_id"] : [])];
  for (const each of characteristics)
    if (!plain.includes(each) && !limits.enterprise)
      refuse("characteristics", `not entitled to use the characteristic ${each}`);
  if (rule.ratelimit.requests_per_period === undefined)
    refuse("requests_per_period", "requests_per_period is required");
  if (!limits.periods.includes(period))
    refuse(
      "period",
      `not entitled to use the period ${period}, can only use a period among [${limits.periods.join(" ")}]`,
      20_120,
    );
  const challenge = challenges.includes(rule.action);
  if (challenge && timeout !== 0)
    refuse("mitigation_timeout", `mitigation_timeout must be 0 for action ${rule.action}`);
  if (!challenge && rule.action === "block" && !limits.mitigations.includes(timeout)) {
    const [only, ...others] = limits.mitigations;
    refuse(
      "mitigation_timeout",
      others.length === 0
        ? `not entitled to use a mitigation timeout different from ${only ?? 0}`
        : `not entitled to use the mitigation timeout ${timeout}, can only use one among [${limits.mitigations.join(" ")}]`,
      20_120,
    );
  }
  if (counting_expression !== undefined && counting_expression !== "") {
    if (!limits.regularExpressions) refuse("counting_expression", "not entitled to use a counting expression", 20_120);
    // Counting may look at the answer.
    else
      reportExpression("/ratelimit/counting_expression", counting_expression, { ...language, response: true }, report);
  }
}
