import { formatPath } from "../framework/paths.ts";
import { any, list as listShape, map as mapShape, misfits, object as objectShape } from "../framework/shape.ts";
import { boolean as booleanShape, number as numberShape, oneOf as oneOfShape } from "../framework/shape.ts";
import { required, string as stringShape, type Required, type Shape } from "../framework/shape.ts";
import { unknown, type CheckFailure, type Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";

/** One attribute of a resource, as far as the real provider's schema decides what happens with it. */
export interface Attribute extends Options {
  /** `other`: an object of whatever form; `foreign`: the real provider has it, the stand-in does not. */
  readonly type: "string" | "number" | "boolean" | "list" | "set" | "map" | "object" | "other" | "foreign";
  readonly of?: Attribute;
  readonly attributes?: Attributes;
}

export interface Options {
  readonly required?: true;
  /** The service fills it in where the program says nothing; what it says then is no change. */
  readonly computed?: true;
  /** Only ever told by the service. */
  readonly readOnly?: true;
  /** What the provider wants where the program says nothing. */
  readonly initial?: unknown;
  /** A change makes another one. */
  readonly replaces?: true;
  /** Keeps its value while an update runs. */
  readonly stable?: true;
  /** The service does not tell it (again), so that a read keeps what is stored. */
  readonly kept?: true;
  /** Empty or false from the service is as good as nothing, where nothing is stored. */
  readonly loose?: true;
  /** Says the same as another input, so that an import leaves it out. */
  readonly derived?: true;
  readonly oneOf?: readonly (string | number)[];
  readonly between?: readonly [least: number, most: number];
  readonly pattern?: RegExp;
  readonly atLeast?: number;
  readonly same?: (live: unknown, wanted: unknown) => boolean;
  /** The service's name, where it is not the same in snake case. */
  readonly wire?: string;
}

export type Attributes = Readonly<Record<string, Attribute>>;

export const text = (options: Options = {}): Attribute => ({ type: "string", ...options });
export const number = (options: Options = {}): Attribute => ({ type: "number", ...options });
export const truth = (options: Options = {}): Attribute => ({ type: "boolean", ...options });
export const list = (of: Attribute, options: Options = {}): Attribute => ({ type: "list", of, ...options });
export const set = (of: Attribute, options: Options = {}): Attribute => ({ type: "set", of, ...options });
export const map = (of: Attribute, options: Options = {}): Attribute => ({ type: "map", of, ...options });
export const object = (attributes: Attributes, options: Options = {}): Attribute => ({
  type: "object",
  attributes,
  ...options,
});
export const told = (options: Options = {}): Attribute => ({ type: "other", readOnly: true, ...options });
export const foreign: Attribute = { type: "foreign" };

export const hexId = /^[0-9a-f]{32}$/;

/** Everything in which the inputs do not fit the schema. */
export function schemaFailures(attributes: Attributes, news: Properties): CheckFailure[] {
  return [
    ...misfits(shapeOf({ type: "object", attributes }), news),
    ...violations({ type: "object", attributes }, news, []),
  ];
}

function shapeOf(attribute: Attribute): Shape {
  const { type, of, attributes = {}, oneOf, atLeast } = attribute;
  switch (type) {
    case "string":
      return oneOf ? oneOfShape(...oneOf) : stringShape;
    case "number":
      return oneOf ? oneOfShape(...oneOf) : numberShape;
    case "boolean":
      return booleanShape;
    case "list":
    case "set":
      return listShape(of ? shapeOf(of) : any, atLeast === undefined ? {} : { min: atLeast });
    case "map":
      return mapShape(of ? shapeOf(of) : any);
    case "object":
      return objectShape(Object.fromEntries(Object.entries(attributes).map(([key, each]) => [key, memberOf(each)])));
    default:
      return any;
  }
}

function memberOf(attribute: Attribute): Shape | Required {
  return attribute.required ? required(shapeOf(attribute)) : shapeOf(attribute);
}

type Path = readonly (string | number)[];

/** What a shape has no word for. */
function violations(attribute: Attribute, value: unknown, path: Path): CheckFailure[] {
  if (value === undefined || value === unknown) return [];
  const fail = (reason: string): CheckFailure[] => [{ property: formatPath(path), reason }];
  const { type, of, attributes, between, pattern, readOnly } = attribute;
  if (type === "foreign") return fail("is not part of the stand-in for the cloudflare provider");
  if (readOnly) return fail("cannot be set: the provider marks it as read-only");
  if (typeof value === "number" && between && (value < between[0] || value > between[1]))
    return fail(`must be between ${between[0]} and ${between[1]}, got ${value}`);
  if (typeof value === "string" && pattern && !pattern.test(value)) return fail(`must match ${pattern.source}`);
  if (Array.isArray(value) && of) return value.flatMap((each, index) => violations(of, each, [...path, index]));
  if (!isPlainObject(value)) return [];
  if (type === "map" && of) return Object.entries(value).flatMap(([key, each]) => violations(of, each, [...path, key]));
  return Object.entries(attributes ?? {}).flatMap(([key, each]) => violations(each, value[key], [...path, key]));
}
