import {
  isAlias,
  isMap,
  isScalar,
  parseDocument,
  stringify,
  type Document,
  type Pair,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { isDeepStrictEqual } from "node:util";

/*
 * Changes single values of a YAML file as text: every line that is not concerned stays byte for byte what a person
 * wrote, comments and blank lines included. Printing a parsed document again would re-wrap and re-quote the rest.
 */

/** Sets the value at `path`; objects are merged key by key so that only what differs is written. `undefined` removes it. */
export function setValue(text: string, path: readonly string[], value: unknown): string {
  const document = parse(text);
  const before: unknown = document.toJS();
  const edited = edit(text, path, value);
  const wanted = withValue(before, path, value);
  const got: unknown = parse(edited).toJS();
  // A wrong splice would hand Pulumi another configuration than the one that was asked for.
  if (!isDeepStrictEqual(got, wanted))
    throw new Error(`${path.join(".")}: the edited text does not read back as intended`);
  return edited;
}

function edit(text: string, path: readonly string[], value: unknown): string {
  const { map, key, missing } = locate(parse(text), path);
  const pair = findPair(map, key);
  if (missing.length > 0) {
    if (value === undefined) return text;
    return edit(text, path.slice(0, path.length - missing.length), nested(missing, value));
  }
  if (value === undefined) return pair ? removePair(text, map, pair, path) : text;
  if (!pair) return insertPair(text, map, key, value);
  if (isPlainObject(value) && isMap(pair.value) && Object.keys(value).length > 0 && pair.value.items.length > 0) {
    const present = Object.keys(pair.value.toJSON() as object);
    // What is new goes in before what is old goes out: a block map must not become empty in between.
    const keys = [...new Set([...Object.keys(value), ...present])];
    return keys.reduce((current, name) => edit(current, [...path, name], value[name]), text);
  }
  const present: unknown = pair.value === null ? null : (pair.value as Scalar).toJSON();
  if (isDeepStrictEqual(present, value)) return text;
  if (isScalar(pair.value) && isOneLine(text, pair.value) && !isPlainObject(value) && !Array.isArray(value)) {
    const quoted = pair.value.type === "QUOTE_DOUBLE" || pair.value.type === "QUOTE_SINGLE" ? pair.value.type : "PLAIN";
    const rendered = stringify(value, { lineWidth: 0, defaultStringType: quoted }).trimEnd();
    return splice(text, range(pair.value)[0], range(pair.value)[1], rendered);
  }
  return replacePair(text, map, pair, key, value);
}

function parse(text: string): Document {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw new Error(problem.message);
  return document;
}

/** Walks to the map that holds the last key of `path`; `missing` are the keys below the last one that exists. */
function locate(document: Document, path: readonly string[]): { map: YAMLMap; key: string; missing: string[] } {
  let map: unknown = document.contents;
  for (const [depth, key] of path.entries()) {
    if (isAlias(map)) throw new Error(`${path.slice(0, depth).join(".")}: is a YAML alias; write the values out`);
    if (!isMap(map)) throw new Error(`${path.slice(0, depth).join(".")}: is not a map of keys and values`);
    const next = findPair(map, key)?.value;
    const last = depth === path.length - 1;
    if (last || next === undefined || next === null || (isScalar(next) && next.value === null)) {
      return { map, key, missing: path.slice(depth + 1) };
    }
    map = next;
  }
  throw new Error("a path needs at least one key");
}

function insertPair(text: string, map: YAMLMap, key: string, value: unknown): string {
  const last = map.items.at(-1);
  if (map.flow) {
    const at = last ? range(last.value ?? last.key)[1] : range(map)[0] + 1;
    const rendered = `${flow(key)}: ${flow(value)}`;
    return splice(text, at, at, last ? `, ${rendered}` : ` ${rendered} `);
  }
  if (!last) throw new Error(`${key}: a block map without keys has no place to insert at`);
  const end = lineEnd(text, endOf(text, last));
  return splice(text, end, end, newline(text) + block(key, value, column(text, range(map.items[0]?.key)[0]), text));
}

function replacePair(text: string, map: YAMLMap, pair: Pair, key: string, value: unknown): string {
  const start = range(pair.key)[0];
  if (map.flow) return splice(text, start, range(pair.value)[1], `${flow(key)}: ${flow(value)}`);
  return splice(text, start, endOf(text, pair), block(key, value, column(text, start), text).trimStart());
}

function removePair(text: string, map: YAMLMap, pair: Pair, path: readonly string[]): string {
  if (map.items.length === 1 && path.length > 1) {
    const parent = path.slice(0, -1);
    const located = locate(parse(text), parent);
    const holder = findPair(located.map, located.key);
    if (holder) return replacePair(text, located.map, holder, located.key, {});
  }
  const start = range(pair.key)[0];
  if (map.flow) {
    const index = map.items.indexOf(pair);
    const next = map.items[index + 1];
    if (next) return splice(text, start, range(next.key)[0], "");
    const previous = map.items[index - 1];
    return splice(
      text,
      previous ? range(previous.value ?? previous.key)[1] : start,
      range(pair.value ?? pair.key)[1],
      "",
    );
  }
  const from = text.lastIndexOf("\n", start - 1) + 1;
  return splice(text, from, lineEnd(text, endOf(text, pair)) + newline(text).length, "");
}

function block(key: string, value: unknown, indent: number, text: string): string {
  const lines = stringify({ [key]: value }, { lineWidth: 0 })
    .trimEnd()
    .split("\n");
  return lines.map((line) => (line === "" ? line : " ".repeat(indent) + line)).join(newline(text));
}

function flow(value: unknown): string {
  return stringify(value, { lineWidth: 0, collectionStyle: "flow" }).trimEnd();
}

function findPair(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => (isScalar(pair.key) ? pair.key.value : pair.key) === key);
}

/** Where the pair's own text ends, without the line break a block value's range reaches over. */
function endOf(text: string, pair: Pair): number {
  const node = pair.value ?? pair.key;
  let end = range(node)[1];
  // `key:` without a value: the colon belongs to the pair.
  if (end === range(pair.key)[1]) end = text.indexOf(":", end) + 1;
  while (text[end - 1] === "\n" || text[end - 1] === "\r") end--;
  return end;
}

function range(node: unknown): [number, number] {
  const found = (node as { range?: [number, number, number] | null } | null | undefined)?.range;
  if (!found) throw new Error("a parsed node has no range");
  return [found[0], found[1]];
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf(newline(text), from);
  return end === -1 ? text.length : end;
}

function column(text: string, at: number): number {
  return at - (text.lastIndexOf("\n", at - 1) + 1);
}

function newline(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

function isOneLine(text: string, node: unknown): boolean {
  const [start, end] = range(node);
  return end > start && !text.slice(start, end).includes("\n");
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nested(keys: readonly string[], value: unknown): unknown {
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

function withValue(tree: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const base = isPlainObject(tree) ? tree : {};
  const inner = rest.length === 0 ? value : withValue(base[key], rest, value);
  const { [key]: _removed, ...others } = base;
  if (inner === undefined) return others;
  // Key order counts for nothing in the comparison.
  return { ...others, [key]: inner };
}
