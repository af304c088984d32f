import type { Unwrap } from "@pulumi/pulumi";

/*
 * What the official provider knows about a property: its type and whether it is required, has a default, is filled in
 * by the daemon, or forces a replacement. Checks, plans, diffs and refreshed inputs all follow from it.
 */

interface Traits<Value> {
  readonly required?: boolean;
  /** Left out of the program, it keeps the value that was read last instead of being reset. */
  readonly computed?: boolean;
  /** A change replaces the resource. On a block, appearing and vanishing is the change; its fields say their own. */
  readonly replaces?: boolean;
  /** What is wrong with a value; never repeats the value of a secret. */
  readonly check?: (value: Value) => string | undefined;
}

export interface TextField extends Traits<string> {
  readonly kind: "text";
  readonly default?: string;
}

export interface WholeField extends Traits<number> {
  readonly kind: "whole";
  readonly default?: number;
}

export interface FlagField extends Traits<boolean> {
  readonly kind: "flag";
}

export interface TextsField extends Traits<readonly string[]> {
  readonly kind: "texts";
  /** A set: neither order nor repetition matters. */
  readonly unordered?: boolean;
}

export interface TextMapField extends Traits<Readonly<Record<string, string>>> {
  readonly kind: "textMap";
}

export interface BlockField extends Traits<never> {
  readonly kind: "block";
  /** The official provider crashes on an empty one. */
  readonly notEmpty?: boolean;
  readonly fields: Fields;
}

export interface BlocksField extends Traits<never> {
  readonly kind: "blocks";
  readonly unordered?: boolean;
  readonly fields: Fields;
}

export type Field = TextField | WholeField | FlagField | TextsField | TextMapField | BlockField | BlocksField;
export type Fields = Readonly<Record<string, Field>>;

/**
 * The fields of an arguments type of the official SDK: every property, each of the right kind, the required ones
 * demanded. Used as `{…} satisfies FieldsOf<docker.ServiceArgs>`, so nothing is accepted that the SDK does not know.
 */
export type FieldsOf<Args> = {
  readonly [Name in keyof Args]-?: KindOf<NonNullable<Unwrap<Args[Name]>>> & {
    readonly required: undefined extends Args[Name] ? false : true;
  };
};

type KindOf<Value> = [Value] extends [string]
  ? TextField
  : [Value] extends [number]
    ? WholeField
    : [Value] extends [boolean]
      ? FlagField
      : Value extends readonly (infer Element)[]
        ? [Element] extends [string]
          ? TextsField
          : BlocksField
        : string extends keyof Value
          ? TextMapField
          : BlockField;

type Given<F extends Field> = Omit<F, "kind" | "fields" | "required">;
type Optional<F extends Field> = F & { readonly required: false };

export function text(given?: Given<TextField>): Optional<TextField> {
  return { ...given, kind: "text", required: false };
}

export function whole(given?: Given<WholeField>): Optional<WholeField> {
  return { ...given, kind: "whole", required: false };
}

export function flag(given?: Given<FlagField>): Optional<FlagField> {
  return { ...given, kind: "flag", required: false };
}

export function texts(given?: Given<TextsField>): Optional<TextsField> {
  return { ...given, kind: "texts", required: false };
}

export function textMap(given?: Given<TextMapField>): Optional<TextMapField> {
  return { ...given, kind: "textMap", required: false };
}

export function block(fields: Fields, given?: Given<BlockField>): Optional<BlockField> {
  return { ...given, kind: "block", fields, required: false };
}

export function blocks(fields: Fields, given?: Given<BlocksField>): Optional<BlocksField> {
  return { ...given, kind: "blocks", fields, required: false };
}

/** A set of blocks. */
export function blockSet(fields: Fields, given?: Given<BlocksField>): Optional<BlocksField> {
  return blocks(fields, { ...given, unordered: true });
}

export function required<F extends Field>(field: F): Omit<F, "required"> & { readonly required: true } {
  return { ...field, required: true };
}
