import type { Problem } from "../errors.ts";
import type { Limits } from "../plans.ts";
import { reportParameters } from "./parameter-problems.ts";
import { phases, type PhaseName } from "./phases.ts";
import { reportRateLimit } from "./rate-limit-problems.ts";
import { reportExpression, type Report } from "./report.ts";
import type { Rule } from "./rule.ts";

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
