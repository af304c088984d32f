import { valueProblem, type Language } from "../expression.ts";
import type { Limits } from "../plans.ts";
import { noParameters, parameters } from "./parameters.ts";
import { freeRuleset, managedRulesets, type PhaseName } from "./phases.ts";
import type { Report } from "./report.ts";
import type { Rule } from "./rule.ts";

/** What is wrong with the parameters of a rule's action. */
export function reportParameters(
  rule: Rule,
  phase: PhaseName,
  limits: Limits,
  language: Language,
  report: Report,
): void {
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
