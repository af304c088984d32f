import type { Struct as ProtoStruct, JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { unknown } from "./types.ts";
import type { Properties } from "./types.ts";

/*
 * How the engine writes what JSON has no word for: a secret is an object with a signature, an unknown a fixed string.
 * Both are part of the engine's protocol and never change.
 */
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Where secrets were: everything below (`true`), or by property. */
export type Secrets = true | { readonly [property: string]: Secrets };

export interface Decoded {
  readonly values: Properties;
  readonly secrets: Secrets;
}

/** Unwraps secrets and unknowns; a property that is null counts as absent, as it does for the official plugins. */
export function decode(wire: ProtoStruct | undefined): Decoded {
  if (wire === undefined) return { values: {}, secrets: {} };
  const secrets: Record<string, Secrets> = {};
  const values = decodeObject(wire.toJavaScript(), secrets);
  return { values, secrets };
}

/** The way back: undefined is left out, and what `secrets` names is wrapped again. */
export function encode(values: Properties, secrets: Secrets = {}): ProtoStruct {
  return struct.Struct.fromJavaScript(wrap(encodeObject(values), secrets) as Record<string, JavaScriptValue>);
}

/** Both: a property is secret when either says so. */
export function union(a: Secrets, b: Secrets): Secrets {
  if (a === true || b === true) return true;
  const merged: Record<string, Secrets> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const present = merged[key];
    merged[key] = present === undefined ? value : union(present, value);
  }
  return merged;
}

export function isPlainObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeObject(wire: Properties, secrets: Record<string, Secrets>): Properties {
  const values: Properties = {};
  for (const [key, value] of Object.entries(wire)) {
    if (value === null || value === undefined) continue;
    const inner: { secret: boolean; below: Record<string, Secrets> } = { secret: false, below: {} };
    values[key] = decodeValue(value, inner);
    if (inner.secret) secrets[key] = true;
    else if (Object.keys(inner.below).length > 0) secrets[key] = inner.below;
  }
  return values;
}

function decodeValue(value: unknown, found: { secret: boolean; below: Record<string, Secrets> }): unknown {
  if (value === unknownText) return unknown;
  if (Array.isArray(value)) {
    // Elements move about between input and output, so one secret element makes the whole list secret.
    return value.map((element: unknown) => {
      const inner = { secret: false, below: {} };
      const decoded = decodeValue(element, inner);
      if (inner.secret || Object.keys(inner.below).length > 0) found.secret = true;
      return decoded;
    });
  }
  if (!isPlainObject(value)) return value;
  if (value[signatureKey] === secretSignature) {
    found.secret = true;
    return decodeValue(value["value"] ?? null, { secret: true, below: {} });
  }
  return decodeObject(value, found.below);
}

function encodeObject(values: Properties): Properties {
  const wire: Properties = {};
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) wire[key] = encodeValue(value);
  }
  return wire;
}

function encodeValue(value: unknown): unknown {
  if (value === unknown) return unknownText;
  if (Array.isArray(value)) return value.map(encodeValue);
  if (isPlainObject(value)) return encodeObject(value);
  return value ?? null;
}

function wrap(value: unknown, secrets: Secrets): unknown {
  if (secrets === true) return { [signatureKey]: secretSignature, value };
  if (Object.keys(secrets).length === 0) return value;
  if (!isPlainObject(value)) return { [signatureKey]: secretSignature, value };
  const wrapped: Properties = { ...value };
  for (const [key, inner] of Object.entries(secrets)) {
    if (key in wrapped) wrapped[key] = wrap(wrapped[key], inner);
  }
  return wrapped;
}
