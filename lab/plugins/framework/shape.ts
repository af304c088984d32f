import { formatPath } from "./paths.ts";
import { unknown } from "./types.ts";
import type { CheckFailure } from "./types.ts";
import { isPlainObject } from "./wire.ts";

/** What a property may hold. Build one with the functions below; unknowns pass everywhere. */
export type Shape =
  | { readonly kind: "string" | "number" | "boolean" | "any" }
  | { readonly kind: "oneOf"; readonly values: readonly (string | number)[] }
  | { readonly kind: "list"; readonly of: Shape; readonly min: number; readonly max: number }
  | { readonly kind: "map"; readonly of: Shape }
  | { readonly kind: "object"; readonly properties: Readonly<Record<string, Shape | Required>> };

export interface Required {
  readonly kind: "required";
  readonly shape: Shape;
}

export const string: Shape = { kind: "string" };
export const number: Shape = { kind: "number" };
export const boolean: Shape = { kind: "boolean" };
export const any: Shape = { kind: "any" };

export function oneOf(...values: readonly (string | number)[]): Shape {
  return { kind: "oneOf", values };
}

export function list(of: Shape, limits: { readonly min?: number; readonly max?: number } = {}): Shape {
  return { kind: "list", of, min: limits.min ?? 0, max: limits.max ?? Infinity };
}

export function map(of: Shape): Shape {
  return { kind: "map", of };
}

/** Tie the names to the official SDK with `satisfies Record<keyof docker.ServiceArgs, Shape | Required>`. */
export function object(properties: Readonly<Record<string, Shape | Required>>): Shape {
  return { kind: "object", properties };
}

export function required(shape: Shape): Required {
  return { kind: "required", shape };
}

/** Every way in which `value` does not fit, each with its path. */
export function misfits(shape: Shape, value: unknown, path: readonly (string | number)[] = []): CheckFailure[] {
  if (value === unknown) return [];
  const fail = (reason: string): CheckFailure[] => [{ property: formatPath(path), reason }];
  switch (shape.kind) {
    case "any":
      return [];
    case "oneOf": {
      const fits = shape.values.some((allowed) => allowed === value);
      return fits ? [] : fail(`expected one of ${shape.values.join(", ")}, got ${describe(value)}`);
    }
    case "list": {
      if (!Array.isArray(value)) return fail(`expected a list, got ${describe(value)}`);
      const count: CheckFailure[] = [];
      if (value.length < shape.min) count.push(...fail(`expected at least ${shape.min} elements, got ${value.length}`));
      if (value.length > shape.max) count.push(...fail(`expected at most ${shape.max} elements, got ${value.length}`));
      return [...count, ...value.flatMap((element, i) => misfits(shape.of, element, [...path, i]))];
    }
    case "map":
      if (!isPlainObject(value)) return fail(`expected a map, got ${describe(value)}`);
      return Object.entries(value).flatMap(([key, element]) => misfits(shape.of, element, [...path, key]));
    case "object":
      if (!isPlainObject(value)) return fail(`expected an object, got ${describe(value)}`);
      return objectMisfits(shape.properties, value, path);
    default:
      return typeof value === shape.kind ? [] : fail(`expected a ${shape.kind}, got ${describe(value)}`);
  }
}

function objectMisfits(
  properties: Readonly<Record<string, Shape | Required>>,
  value: Readonly<Record<string, unknown>>,
  path: readonly (string | number)[],
): CheckFailure[] {
  const failures: CheckFailure[] = [];
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(properties, key)) {
      failures.push({ property: formatPath([...path, key]), reason: "unknown property" });
    }
  }
  for (const [key, declared] of Object.entries(properties)) {
    const shape = declared.kind === "required" ? declared.shape : declared;
    const element = value[key];
    if (element !== undefined) failures.push(...misfits(shape, element, [...path, key]));
    else if (declared.kind === "required") {
      failures.push({ property: formatPath([...path, key]), reason: "required property is missing" });
    }
  }
  return failures;
}

/** Names the type, never the value: it may be a secret. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
