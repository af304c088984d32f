import { formatPath } from "../framework/paths.ts";
import type { Path } from "../framework/paths.ts";
import { unknown } from "../framework/types.ts";
import type { Diff, Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { defaultsKey, isNamedByProgram } from "./check.ts";
import type { BlocksField, Field, Fields } from "./fields.ts";

/**
 * What a resource will be: the inputs, and where the program says nothing about a computed property, what was read
 * last. An update sends all of it, so a computed property that was once set keeps its value when it is left out.
 */
export function planned(fields: Fields, prior: Properties, inputs: Properties): Properties {
  const plan: Properties = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = plannedValue(field, prior[name], inputs[name]);
    if (value !== undefined) plan[name] = value;
  }
  return plan;
}

function plannedValue(field: Field, prior: unknown, input: unknown): unknown {
  // No blocks at all is the same as saying nothing about them.
  const isGiven = input !== undefined && !(field.kind === "blocks" && Array.isArray(input) && input.length === 0);
  if (!isGiven) return field.computed === true ? prior : undefined;
  if (field.kind === "block" && isPlainObject(input)) {
    return planned(field.fields, isPlainObject(prior) ? prior : {}, input);
  }
  if (field.kind !== "blocks" || !Array.isArray(input)) return input;
  return input.map((element: unknown, i) => {
    if (!isPlainObject(element)) return element;
    const before: unknown = field.unordered === true || !Array.isArray(prior) ? undefined : prior[i];
    return planned(field.fields, isPlainObject(before) ? before : {}, element);
  });
}

/** How a resource of these fields differs from what was read last, as the official provider would tell. */
export function diffOf(fields: Fields, olds: Properties, news: Properties): Diff {
  const found: Found[] = [];
  compareFields(fields, olds, planned(fields, olds, news), { path: [], replaces: false }, found);
  if (found.every(({ kind }) => kind === "noise")) return { changes: [], replaces: [], deleteBeforeReplace: false };
  const changes = found.map(({ path }) => path);
  const isReplaced = found.some(({ kind }) => kind === "replace" || kind === "replace by part");
  if (!isReplaced) return { changes, replaces: [], deleteBeforeReplace: false };
  const replaces = found.filter(({ kind, within }) => kind === "replace" || within).map(({ path }) => path);
  if (replaces.length === 0) {
    // The bridge knows that it must replace, but not by which property, and says so by one of its own.
    changes.push(bridgeKey);
    replaces.push(bridgeKey);
  }
  return { changes, replaces, deleteBeforeReplace: isNamedByProgram(news) };
}

const bridgeKey = "__meta";

interface Found {
  readonly path: string;
  /**
   * `replace by part`: something inside forces a replacement, but is not told apart. `noise`: named beside real
   * changes, but none by itself.
   */
  readonly kind: "update" | "replace" | "replace by part" | "noise";
  /** Counts as a reason to replace once there is another. */
  readonly within: boolean;
}

interface Place {
  readonly path: Path;
  /** Whether the block that it is directly in forces replacements. */
  readonly replaces: boolean;
}

function compareFields(fields: Fields, prior: Properties, plan: Properties, at: Place, found: Found[]): void {
  for (const [name, field] of Object.entries(fields)) {
    compare(field, prior[name], plan[name], { ...at, path: [...at.path, name] }, found);
  }
}

function compare(field: Field, prior: unknown, plan: unknown, at: Place, found: Found[]): void {
  const { path } = at;
  const within = at.replaces || field.replaces === true;
  const note = (where: Path, kind: Found["kind"]): void => {
    found.push({ path: formatPath(where), kind, within });
  };
  const kind = field.replaces === true ? "replace" : "update";
  if (field.kind === "block" && isPlainObject(prior) && isPlainObject(plan)) {
    compareFields(field.fields, prior, plan, { path, replaces: field.replaces === true }, found);
    return;
  }
  if (canonical(field, prior) === canonical(field, plan) && !hasUnknown(plan)) {
    // A map that is absent from the state is planned as an empty one.
    if (field.kind === "textMap" && prior === undefined && field.computed !== true) note(path, "noise");
    return;
  }
  if (isMissing(field, prior) || isMissing(field, plan) || plan === unknown) {
    note(path, replacesWhole(field, prior) || replacesWhole(field, plan) ? "replace" : "update");
  } else if (field.kind === "blocks" && Array.isArray(prior) && Array.isArray(plan)) {
    compareBlocks(field, prior, plan, { path, replaces: within }, found);
  } else if (field.kind === "textMap" && isPlainObject(prior)) {
    const after = isPlainObject(plan) ? plan : {};
    for (const key of new Set([...Object.keys(prior), ...Object.keys(after)])) {
      if (prior[key] !== after[key] || after[key] === unknown) note([...path, key], kind);
    }
  } else if (field.kind === "texts" && Array.isArray(prior) && Array.isArray(plan)) {
    for (const i of changedElements(field.unordered === true, prior, plan)) note([...path, i], kind);
  } else note(path, kind);
}

/** Whether there is nothing to look into; an object that is there, though empty, is something. */
function isMissing(field: Field, value: unknown): boolean {
  if (field.kind === "block") return value === undefined;
  return field.kind === "textMap" ? false : isEmpty(value);
}

function changedElements(unordered: boolean, prior: readonly unknown[], plan: readonly unknown[]): number[] {
  const indexes = [...Array(Math.max(prior.length, plan.length)).keys()];
  if (!unordered) return indexes.filter((i) => prior[i] !== plan[i] || plan[i] === unknown);
  const gone = (i: number): boolean => i < prior.length && !plan.includes(prior[i]);
  const added = (i: number): boolean => i < plan.length && (!prior.includes(plan[i]) || plan[i] === unknown);
  return indexes.filter((i) => gone(i) || added(i));
}

function compareBlocks(
  field: BlocksField,
  prior: readonly unknown[],
  plan: readonly unknown[],
  at: Place,
  found: Found[],
): void {
  const element: Field = { kind: "block", fields: field.fields };
  const isSet = field.unordered === true;
  // Of a set, an element that the other side has too is no change, wherever it stands.
  const gone = isSet ? without(element, prior, plan) : prior;
  const added = isSet ? without(element, plan, prior) : plan;
  const inside: Found[] = [];
  for (let i = 0; i < Math.max(gone.length, added.length); i++) {
    if (gone[i] === undefined && added[i] === undefined) continue;
    compare(element, gone[i], added[i], { ...at, path: [...at.path, i] }, inside);
  }
  if (isSet && !added.every((block) => block === undefined || isComplete(field.fields, block))) {
    const isReplaced = inside.some(({ kind }) => kind === "replace" || kind === "replace by part");
    const kind = isReplaced ? "replace by part" : "update";
    found.push({ path: formatPath(at.path), kind: field.replaces === true ? "replace" : kind, within: at.replaces });
    return;
  }
  const countReplaces = field.replaces === true && prior.length !== plan.length;
  found.push(...inside.map((change) => (countReplaces ? { ...change, kind: "replace" as const } : change)));
}

/** A list with holes where `others` has an element like it. */
function without(element: Field, list: readonly unknown[], others: readonly unknown[]): unknown[] {
  const known = new Set(others.map((other) => canonical(element, other)));
  return list.map((value) => (known.has(canonical(element, value)) && !hasUnknown(value) ? undefined : value));
}

/** The bridge finds an element of a set among the inputs only when they give every plain property of it. */
function isComplete(fields: Fields, value: unknown): boolean {
  const isPlain = ({ kind }: Field): boolean => kind === "text" || kind === "whole";
  return isPlainObject(value) && Object.entries(fields).every(([name, f]) => !isPlain(f) || value[name] !== undefined);
}

/** Whether a block that appears or vanishes as a whole forces a replacement: by itself or by what is in it. */
function replacesWhole(field: Field, value: unknown): boolean {
  if (isEmpty(value)) return false;
  if (field.replaces === true) return true;
  if (field.kind === "block" && isPlainObject(value)) {
    return Object.entries(field.fields).some(([name, inner]) => replacesWhole(inner, value[name]));
  }
  if (field.kind !== "blocks" || !Array.isArray(value)) return false;
  return value.some((element) => replacesWhole({ kind: "block", fields: field.fields }, element));
}

/**
 * The state after a create or update: what was read back, but sets as planned. The bridge does so too, and a set that
 * the daemon changed therefore shows as a difference only after the next refresh. Collections that nobody mentioned
 * are left out of the state of a new resource.
 */
export function settled(fields: Fields, plan: Properties, read: Properties, isNew: boolean): Properties {
  const state: Properties = { ...read };
  for (const [name, field] of Object.entries(fields)) {
    const wanted = plan[name];
    const live = read[name];
    const isSet = "unordered" in field && field.unordered === true;
    if (isSet && (wanted !== undefined || field.computed !== true)) state[name] = wanted ?? [];
    else if (field.kind === "block" && isPlainObject(wanted) && isPlainObject(live)) {
      // A block that says nothing plans nothing.
      const isBlank = Object.values(wanted).every((value) => Array.isArray(value) && value.length === 0);
      state[name] = isBlank ? live : settled(field.fields, wanted, live, isNew);
    } else if ((field.kind === "texts" || field.kind === "textMap") && isNew && wanted === undefined) {
      if (isEmpty(live)) state[name] = undefined;
    }
  }
  return state;
}

/** The inputs of a resource whose live state was read: those that the program gave, with the live values. */
export function refreshedInputs(fields: Fields, inputs: Properties, outputs: Properties): Properties {
  const refreshed: Properties = {};
  const unchanged = new Set<string>();
  for (const [name, value] of Object.entries(inputs)) {
    const field = fields[name];
    const live = outputs[name];
    if (field === undefined || live === undefined) continue;
    refreshed[name] = refreshedValue(field, value, live);
    if (canonical(field, value) === canonical(field, live)) unchanged.add(name);
  }
  const defaults = inputs[defaultsKey];
  if (!Array.isArray(defaults)) return refreshed;
  return { ...refreshed, [defaultsKey]: defaults.filter((name: string) => unchanged.has(name)) };
}

function refreshedValue(field: Field, input: unknown, live: unknown): unknown {
  if (field.kind === "block" && isPlainObject(input) && isPlainObject(live)) {
    return refreshedInputs(field.fields, input, live);
  }
  if (!Array.isArray(input) || !Array.isArray(live)) return live;
  if (field.kind !== "blocks") return live.slice(0, input.length);
  const matches = field.unordered === true ? mostAlike(input, live) : new Map(live.map((_, i) => [i, i]));
  return input.flatMap((element: unknown, i) => {
    const match = matches.get(i);
    if (match === undefined || !isPlainObject(element) || !isPlainObject(live[match])) return [];
    return [refreshedInputs(field.fields, element, live[match])];
  });
}

/** Pairs the elements of two sets by how many properties they share, the most alike first. */
function mostAlike(inputs: readonly unknown[], live: readonly unknown[]): Map<number, number> {
  const pairs = inputs.flatMap((input, i) => live.map((value, k) => ({ i, k, score: likeness(input, value) })));
  const matches = new Map<number, number>();
  const taken = new Set<number>();
  for (const { i, k } of pairs.sort((a, b) => b.score - a.score)) {
    if (matches.has(i) || taken.has(k)) continue;
    matches.set(i, k);
    taken.add(k);
  }
  return matches;
}

function likeness(a: unknown, b: unknown): number {
  if (!isPlainObject(a) || !isPlainObject(b)) return 0;
  let score = 0;
  for (const [name, value] of Object.entries(a)) {
    if (b[name] !== undefined) score += JSON.stringify(value) === JSON.stringify(b[name]) ? 3 : 1;
  }
  return score;
}

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

function list(elements: readonly string[], unordered = false): string {
  return `[${(unordered ? [...new Set(elements)].sort() : elements).join(",")}]`;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isPlainObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === "" || value === 0 || value === false;
}

function hasUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasUnknown);
  if (isPlainObject(value)) return Object.values(value).some(hasUnknown);
  return value === unknown;
}
