import { isPlainObject } from "../framework/wire.ts";

/** The API's name of a property: `latDegrees` is `lat_degrees`, `ipv4Only` is `ipv4_only`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Renames the keys of an object (not of what is inside it); anything else stays as it is. */
export function rename(value: unknown, name: (key: string) => string): unknown {
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [name(key), each]));
}

/** Without the keys that hold nothing: the API answers `null` where a property is not set. */
export function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

/** The two halves of an import id such as `<zone>/<record>`. */
export function splitImportId(id: string, form: string): [zone: string, object: string] {
  const [zone = "", object = "", ...rest] = id.split("/");
  if (zone === "" || object === "" || rest.length > 0) throw new Error(`invalid ID: expected ${form}, got "${id}"`);
  return [zone, object];
}
