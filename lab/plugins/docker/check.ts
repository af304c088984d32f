import { createHash } from "node:crypto";
import { formatPath } from "../framework/paths.ts";
import type { Path } from "../framework/paths.ts";
import { unknown } from "../framework/types.ts";
import type { CheckFailure, Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { parseDuration } from "./duration.ts";
import type { Field, Fields } from "./fields.ts";

/** Where the official provider notes which properties of an object it filled in itself; the CLI does not show it. */
export const defaultsKey = "__defaults";

/** Everything wrong with the inputs of a resource, each with its path. */
export function misfits(fields: Fields, values: Properties, path: Path = []): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const fail = (name: string, reason: string): void => {
    failures.push({ property: formatPath([...path, name]), reason });
  };
  for (const [name, value] of Object.entries(values)) {
    const field = fields[name];
    if (field === undefined) {
      if (name !== defaultsKey) fail(name, "unknown property");
    } else if (value !== unknown) failures.push(...misfit(field, value, [...path, name]));
  }
  for (const [name, field] of Object.entries(fields)) {
    if (field.required === true && values[name] === undefined) fail(name, "required property is missing");
  }
  return failures;
}

function misfit(field: Field, value: unknown, path: Path): CheckFailure[] {
  const fail = (reason: string): CheckFailure[] => [{ property: formatPath(path), reason }];
  const wanted = `expected ${kindNames[field.kind]}, got ${describe(value)}`;
  switch (field.kind) {
    case "block":
      if (!isPlainObject(value)) return fail(wanted);
      if (field.notEmpty === true && Object.keys(value).length === 0) {
        return fail("an empty block crashes the official provider; leave it out");
      }
      return misfits(field.fields, value, path);
    case "blocks":
      if (!Array.isArray(value)) return fail(wanted);
      return value.flatMap((element: unknown, i) => {
        if (element === unknown) return [];
        return isPlainObject(element) ? misfits(field.fields, element, [...path, i]) : fail(wanted);
      });
    case "texts":
      return Array.isArray(value) && value.every(isTextOrUnknown) ? [] : fail(wanted);
    case "textMap":
      return isPlainObject(value) && Object.values(value).every(isTextOrUnknown) ? [] : fail(wanted);
    default: {
      if (!isLeaf(field.kind, value)) return fail(wanted);
      const check = field.check as ((value: unknown) => string | undefined) | undefined;
      const reason = check?.(value);
      return reason === undefined ? [] : fail(reason);
    }
  }
}

const kindNames: Readonly<Record<Field["kind"], string>> = {
  text: "a string",
  whole: "a whole number",
  flag: "a boolean",
  texts: "a list of strings",
  textMap: "a map of strings",
  block: "an object",
  blocks: "a list of objects",
};

function isLeaf(kind: "text" | "whole" | "flag", value: unknown): boolean {
  if (kind === "whole") return Number.isInteger(value);
  return typeof value === (kind === "text" ? "string" : "boolean");
}

function isTextOrUnknown(value: unknown): boolean {
  return typeof value === "string" || value === unknown;
}

/** Names the type, never the value: it may be a secret. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Adds defaults, and in each object a note of which they are. */
export function withDefaults(fields: Fields, values: Properties): Properties {
  const filled: Properties = {};
  const defaults: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    const field = fields[name];
    if (field !== undefined) filled[name] = defaultsWithin(field, value);
  }
  for (const [name, field] of Object.entries(fields)) {
    if (filled[name] !== undefined || !("default" in field) || field.default === undefined) continue;
    // The bridge leaves out defaults that mean nothing.
    if (field.default === "" || field.default === 0) continue;
    filled[name] = field.default;
    defaults.push(name);
  }
  filled[defaultsKey] = defaults.sort();
  return filled;
}

function defaultsWithin(field: Field, value: unknown): unknown {
  if (field.kind === "block" && isPlainObject(value)) return withDefaults(field.fields, value);
  if (field.kind === "blocks" && Array.isArray(value)) {
    return value.map((element: unknown) => (isPlainObject(element) ? withDefaults(field.fields, element) : element));
  }
  return value;
}

/**
 * Names a resource that the program leaves unnamed: its Pulumi name, a dash and seven hex digits, at most 255 in all.
 * A resource that has a name keeps it until it is replaced, even one that the program gave and no longer gives.
 */
export function withName(inputs: Properties, { olds, urn, randomSeed }: NamingContext): Properties {
  if (inputs["name"] !== undefined) return inputs;
  const logicalName = urn.split("::").at(-1) ?? "";
  const suffix = createHash("sha256").update(randomSeed).update(urn).digest("hex").slice(0, 7);
  const defaults = [...((inputs[defaultsKey] as string[] | undefined) ?? []), "name"].sort();
  return { ...inputs, name: olds["name"] ?? `${logicalName.slice(0, 247)}-${suffix}`, [defaultsKey]: defaults };
}

export interface NamingContext {
  readonly urn: string;
  readonly olds: Properties;
  readonly randomSeed: Uint8Array;
}

/** True when the program itself named the resource: such a one is deleted before its replacement is created. */
export function isNamedByProgram(inputs: Properties): boolean {
  const defaults = inputs[defaultsKey];
  return Array.isArray(defaults) && inputs["name"] !== undefined && !defaults.includes("name");
}

export function oneOf(...allowed: readonly string[]): (value: string) => string | undefined {
  return (value) => (allowed.includes(value) ? undefined : `expected one of ${allowed.join(", ")}, got "${value}"`);
}

export function notNegative(value: number): string | undefined {
  return value >= 0 ? undefined : `expected 0 or more, got ${value}`;
}

export function duration(value: string): string | undefined {
  const parsed = parseDuration(value);
  return parsed !== undefined && parsed >= 0 ? undefined : `expected a duration such as 1m30s, got "${value}"`;
}

export function ratio(value: string): string | undefined {
  const parsed = value.trim() === "" ? Number.NaN : Number(value);
  return parsed >= 0 && parsed <= 1 ? undefined : `expected a number from 0.0 to 1.0, got "${value}"`;
}

export function base64(value: string): string | undefined {
  // Node skips what is not base64, so the way back shows what was skipped.
  const canonical = Buffer.from(value, "base64").toString("base64") === value;
  return canonical ? undefined : "expected base64";
}
