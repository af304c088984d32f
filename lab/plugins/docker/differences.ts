import { formatPath } from "../framework/paths.ts";
import type { Path } from "../framework/paths.ts";
import { unknown } from "../framework/types.ts";
import type { Diff, Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { canonical, hasUnknown, isEmpty, isMissing } from "./canonical.ts";
import { isNamedByProgram } from "./check.ts";
import type { BlocksField, Field, Fields } from "./fields.ts";
import { planned } from "./plan.ts";

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
