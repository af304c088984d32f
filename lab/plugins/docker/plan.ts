import type { Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { canonical, isEmpty } from "./canonical.ts";
import { defaultsKey } from "./check.ts";
import type { Field, Fields } from "./fields.ts";

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
