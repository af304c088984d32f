import { z } from "zod";

/*
 * Every refusal reads `<what is wrong>, got <value>; <what to do>`. Schemas give their own words with `refuse`;
 * what zod itself finds (types, ranges, unknown keys) is worded by `wording`, so no message comes from elsewhere.
 */

type Issue = z.core.$ZodRawIssue;

/** A value as it is shown to people, on one line and not too long. */
export function show(value: unknown): string {
  const text = summary(value);
  return text.length > 70 ? `${text.slice(0, 69)}…` : text;
}

function summary(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  // A mapping may be large and hold anything: its keys say enough.
  const keys = Object.keys(value);
  return keys.length === 0 ? "an empty mapping" : `a mapping with ${list(keys, "and")}`;
}

/** `a, b or c` */
export function list(words: readonly string[], joint: "or" | "and"): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${joint} ${words.at(-1) ?? ""}`;
}

/** The words of a schema for a value it does not take. */
export function refuse(wrong: string, cure: string): (issue: Issue) => string {
  return (issue) => (issue.input === undefined ? missing(issue) : `${wrong}, got ${show(issue.input)}; ${cure}`);
}

function missing(issue: Issue): string {
  const meaning = issue.inst instanceof z.ZodType ? issue.inst.description : undefined;
  return meaning === undefined ? "is missing; add it" : `is missing; add it: ${meaning}`;
}

const expectations: Record<string, readonly [wrong: string, cure: string]> = {
  string: ["is not text", "write text, in quotes if it looks like a number"],
  number: ["is not a number", "write a number without quotes"],
  int: ["is not a whole number", "write a whole number"],
  boolean: ["is not true or false", "write true or false without quotes"],
  array: ["is not a list", "write a list"],
  object: ["is not a mapping", "write keys and values"],
  record: ["is not a mapping", "write keys and values"],
};

/** Words for what zod finds by itself. */
export function wording(issue: Issue): string {
  const got = `got ${show(issue.input)}`;
  switch (issue.code) {
    case "invalid_type": {
      if (issue.input === undefined) return missing(issue);
      const [wrong, cure] = expectations[issue.expected] ?? [`is not ${issue.expected}`, `write ${issue.expected}`];
      return `${wrong}, ${got}; ${cure}`;
    }
    case "invalid_value":
      if (issue.input === undefined) return `is missing; write ${list(issue.values.map(String), "or")}`;
      return `is not one of the choices, ${got}; write ${list(issue.values.map(String), "or")}`;
    case "too_small":
      if (issue.origin !== "number" && issue.origin !== "int") return `is empty, ${got}; write at least one`;
      return `is too small, ${got}; write ${issue.inclusive === false ? "more than " : ""}${issue.minimum}${issue.inclusive === false ? "" : " or more"}`;
    case "too_big":
      return `is too large, ${got}; write ${issue.maximum} or less`;
    case "invalid_union": {
      const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
      const value = (issue.input as Record<string, unknown> | undefined)?.[issue.discriminator ?? ""];
      if (value === undefined) return `is missing; write ${list(options, "or")}`;
      return `is not one of the choices, got ${show(value)}; write ${list(options, "or")}`;
    }
    default:
      return `is not valid, ${got}; see docs/configuration.md`;
  }
}

/** Words for a key that the schema does not have; keys that it does have are the cure. */
export function unknownKey(known: readonly string[]): string {
  return known.length === 0 ? "is not a known key; remove it" : `is not a known key; use ${list(known, "or")}`;
}
