import { changedPaths, isEqual } from "../framework/diff.ts";
import { parsePath } from "../framework/paths.ts";
import { unknown, type Diff, type Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import type { Attribute, Attributes } from "./attributes.ts";

/**
 * What the real provider wants to have: the program's word, else its own default, else what the service said before.
 * Where the service decides and `state` knows nothing yet, the plan has nothing.
 */
export function plan(attributes: Attributes, config: Properties, state: Properties = {}): Properties {
  const planned = Object.entries(attributes).map(([key, attribute]) => [
    key,
    planOne(attribute, config[key], state[key]),
  ]);
  return withoutGaps(Object.fromEntries(planned) as Properties);
}

function planOne(attribute: Attribute, config: unknown, state: unknown): unknown {
  if (config === undefined) {
    if (attribute.initial !== undefined) return attribute.initial;
    return attribute.computed === true || attribute.readOnly === true ? state : undefined;
  }
  const { type, of, attributes } = attribute;
  if (type === "object" && attributes && isPlainObject(config))
    return plan(attributes, config, isPlainObject(state) ? state : {});
  if (Array.isArray(config) && of) {
    const before = Array.isArray(state) && type === "list" ? (state as unknown[]) : [];
    return config.map((each, index) => planOne(of, each, before[index]));
  }
  if (type === "map" && of && isPlainObject(config)) {
    const before = isPlainObject(state) ? state : {};
    return Object.fromEntries(Object.entries(config).map(([key, each]) => [key, planOne(of, each, before[key])]));
  }
  return config;
}

/** Compares the stored state, which a refresh brings up to date, with what is planned. */
export function diff(attributes: Attributes, olds: Properties, planned: Properties): Diff {
  const live: Properties = {};
  const wanted: Properties = {};
  for (const [key, attribute] of Object.entries(attributes)) {
    [live[key], wanted[key]] = [comparable(attribute, olds[key]), comparable(attribute, planned[key])];
    if (attribute.same?.(olds[key], planned[key]) === true) live[key] = wanted[key];
  }
  const changes = changedPaths(withoutGaps(live), withoutGaps(wanted));
  const replaces = changes.filter((path) => attributes[String(parsePath(path)[0])]?.replaces === true);
  return { changes, replaces, deleteBeforeReplace: false };
}

/** Without what only the service says; a set in one order. */
function comparable(attribute: Attribute, value: unknown): unknown {
  if (attribute.readOnly === true) return undefined;
  const { type, of, attributes } = attribute;
  if (Array.isArray(value) && of) {
    const all = value.map((each) => comparable(of, each));
    return type === "set" ? all.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)) : all;
  }
  if (!isPlainObject(value)) return value;
  if (type === "map" && of)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, comparable(of, each)]));
  if (type !== "object") return value;
  const members = Object.entries(attributes ?? {}).map(([key, each]) => [key, comparable(each, value[key])]);
  return withoutGaps(Object.fromEntries(members) as Properties);
}

const orderOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (each === unknown ? "?" : each)) || "";

/** The state after a create or update: what was planned, filled up with what the service decided. */
export function settle(attributes: Attributes, planned: Properties, live: Properties): Properties {
  const settled = Object.entries(attributes).map(([key, attribute]) => [
    key,
    settleOne(attribute, planned[key], live[key]),
  ]);
  return withoutGaps(Object.fromEntries(settled) as Properties);
}

function settleOne(attribute: Attribute, planned: unknown, live: unknown): unknown {
  const { type, of, attributes, computed, readOnly } = attribute;
  if (planned === undefined || readOnly === true) return computed === true || readOnly === true ? live : undefined;
  if (type === "object" && attributes && isPlainObject(planned))
    return settle(attributes, planned, isPlainObject(live) ? live : {});
  if (type === "list" && of && Array.isArray(planned)) {
    const told = Array.isArray(live) ? (live as unknown[]) : [];
    return planned.map((each, index) => settleOne(of, each, told[index]));
  }
  return planned;
}

/** The state as a read finds it: the service's word, but for what it does not tell. */
export function recall(attributes: Attributes, live: Properties, olds: Properties): Properties {
  const read = Object.entries(attributes).map(([key, attribute]) => {
    const value = attribute.kept === true && olds[key] !== undefined ? olds[key] : live[key];
    if (attribute.same?.(value, olds[key]) === true) return [key, olds[key]];
    const nothing = attribute.loose === true && olds[key] === undefined && isNothing(value);
    return [key, nothing ? undefined : value];
  });
  return withoutGaps(Object.fromEntries(read) as Properties);
}

/** What the program would have written, as it stands in `live`, with as many parts as it wrote in `inputs`. */
export function project(live: unknown, inputs: unknown): unknown {
  if (Array.isArray(live) && Array.isArray(inputs))
    return live.map((each, index) => (inputs[index] === undefined ? (each as unknown) : project(each, inputs[index])));
  if (isPlainObject(live) && isPlainObject(inputs)) {
    const keys = Object.keys(inputs).filter((key) => live[key] !== undefined);
    return Object.fromEntries(keys.map((key) => [key, project(live[key], inputs[key])]));
  }
  return live;
}

/** The inputs that an import takes over: everything a program would have to say to get the same. */
export function importInputs(attributes: Attributes, live: Properties): Properties {
  const inputs = Object.entries(attributes).map(([key, attribute]) => [key, importOne(attribute, live[key])]);
  return withoutGaps(Object.fromEntries(inputs) as Properties);
}

function importOne(attribute: Attribute, live: unknown): unknown {
  const { type, of, attributes, readOnly, derived, initial, required } = attribute;
  if (readOnly === true || derived === true || type === "foreign" || (initial !== undefined && isEqual(live, initial)))
    return undefined;
  if (required !== true && isNothing(live) && live !== false) return undefined;
  if (Array.isArray(live) && of) return live.map((each) => importOne({ ...of, required: true }, each));
  if (type === "object" && attributes && isPlainObject(live)) return importInputs(attributes, live);
  return live;
}

function isNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isPlainObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === false || value === "" || value === 0;
}

function withoutGaps(values: Properties): Properties {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
