import type { Language } from "../expression.ts";
import type { Limits } from "../plans.ts";
import { challenges } from "./phases.ts";
import { reportExpression, type Report } from "./report.ts";
import type { Rule } from "./rule.ts";

/** Names of fields; functions and operators have no dot, texts are left out. */
function fieldsIn(expression: string): string[] {
  const outside = expression.replaceAll(/"(\\.|[^"\\])*"/g, '""');
  return [...new Set(outside.match(/\b[a-z_]+(\.[a-z_0-9]+)+/g) ?? [])];
}

/** What is wrong with what a rule counts, given what the zone's plan has. */
export function reportRateLimit(rule: Rule, limits: Limits, language: Language, report: Report): void {
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
