import { filterProblem, type Language } from "../expression.ts";

/** Notes one thing that is wrong with a rule, at a JSON pointer below it. */
export type Report = (pointer: string, message: string, code?: number) => void;

export function reportExpression(pointer: string, expression: string, language: Language, report: Report): void {
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
