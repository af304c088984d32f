import { unknown } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import type { Field } from "./fields.ts";

/** One text for all forms of a value that the provider takes for equal: nothing and zero, and a set in any order. */
export function canonical(field: Field, value: unknown): string {
  if (isMissing(field, value) || (field.kind === "textMap" && isEmpty(value))) return "";
  if (field.kind === "block" && isPlainObject(value)) {
    const parts = Object.entries(field.fields).map(([name, inner]) => `${name}=${canonical(inner, value[name])}`);
    return `{${parts.filter((part) => !part.endsWith("=")).join(",")}}`;
  }
  if (field.kind === "blocks" && Array.isArray(value)) {
    const element: Field = { kind: "block", fields: field.fields };
    return list(
      value.map((inner) => canonical(element, inner)),
      field.unordered,
    );
  }
  if (field.kind === "texts" && Array.isArray(value)) {
    return list(
      value.map((inner) => JSON.stringify(inner)),
      field.unordered,
    );
  }
  if (field.kind === "textMap" && isPlainObject(value)) {
    return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return value === unknown ? "unknown" : JSON.stringify(value);
}

/** Whether there is nothing to look into; an object that is there, though empty, is something. */
export function isMissing(field: Field, value: unknown): boolean {
  if (field.kind === "block") return value === undefined;
  return field.kind === "textMap" ? false : isEmpty(value);
}

function list(elements: readonly string[], unordered = false): string {
  return `[${(unordered ? [...new Set(elements)].sort() : elements).join(",")}]`;
}

export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isPlainObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === "" || value === 0 || value === false;
}

export function hasUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasUnknown);
  if (isPlainObject(value)) return Object.values(value).some(hasUnknown);
  return value === unknown;
}
