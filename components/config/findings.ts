import { z } from "zod";
import type { Problem } from "../shared/errors.ts";
import { composeWord } from "./compose-words.ts";
import { lenient, type Parts } from "./lenient.ts";
import { unknownKey, wording } from "./refusals.ts";

/** Steps from the root of a document to the place that is meant. */
export type Path = readonly (string | number)[];
export interface Finding {
  readonly path: Path;
  readonly message: string;
}

/** What a schema makes of a document that may have mistakes in it. */
export interface Checked<T> {
  /** The document, if nothing is wrong with it. */
  readonly whole?: T;
  /** The document without its refused parts, so that rules across fields can speak in the same breath. */
  readonly rest: Parts<T>;
  readonly findings: readonly Finding[];
  /** A path in `rest`, as it stands in the document: refused list entries moved the later ones up. */
  readonly original: (path: Path) => Path;
}

/** `hosts[0].hostKey`, as `pulumi config set --path` writes it. */
export function formatPath(prefix: string, path: Path): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
  return prefix.endsWith(":") ? prefix + steps.replace(/^\./, "") : prefix + steps;
}

export function toProblems(prefix: string, findings: readonly Finding[]): Problem[] {
  return findings.map(({ path, message }) => ({ path: formatPath(prefix, path), message }));
}

export function check<S extends z.ZodObject>(schema: S, document: unknown): Checked<z.output<S>> {
  const removed = new Map<string, number[]>();
  const original = (path: Path): Path => restore(path, removed);
  const first = schema.safeParse(document, { error: wording });
  if (first.success) return { whole: first.data, rest: first.data as Parts<z.output<S>>, findings: [], original };
  const findings = first.error.issues.flatMap((issue) => toFindings(issue, schema, document));

  // Take out what is refused and look again, until the rest passes.
  const forgiving = lenient(schema);
  const rest: unknown = JSON.parse(JSON.stringify(document ?? null));
  for (;;) {
    const result = forgiving.safeParse(rest);
    if (result.success) return { rest: result.data as Parts<z.output<S>>, findings, original };
    const places = result.error.issues.flatMap((issue) => placesOf(issue, rest));
    if (places.some((path) => path.length === 0)) return { rest: {} as Parts<z.output<S>>, findings, original };
    const unique = new Map(places.map((path) => [JSON.stringify(path), path]));
    for (const path of [...unique.values()].toSorted(lastFirst)) remove(rest, path, removed);
  }
}

function toFindings(issue: z.core.$ZodIssue, schema: z.ZodType, document: unknown): Finding[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    const message = unknownKey(knownKeys(schema, path, document));
    return issue.keys.map((key) => ({ path: [...path, key], message: composeWord([...path, key]) ?? message }));
  }
  if (issue.code === "invalid_key") return issue.issues.map(({ message }) => ({ path, message }));
  if (issue.code === "invalid_union") {
    // The branch that the value has the form of speaks; without one, the union itself.
    const branch = issue.errors.find((issues) =>
      issues.every((i) => i.path.length > 0 || i.code === "unrecognized_keys"),
    );
    if (branch) {
      return branch.flatMap((inner) => toFindings({ ...inner, path: [...path, ...inner.path] }, schema, document));
    }
  }
  return [{ path, message: issue.message }];
}

/** Keys that the schema has at a path of the document. */
function knownKeys(schema: z.core.$ZodType, path: Path, document: unknown): string[] {
  const def = (schema as z.ZodType).def as z.core.$ZodTypeDef & Record<string, unknown>;
  if (def.type === "union") {
    const options = def.options as z.core.$ZodType[];
    const fitting = options.find((option) => accepts(option, document, def.discriminator as string | undefined));
    return fitting ? knownKeys(fitting, path, document) : [];
  }
  if ("innerType" in def) return knownKeys(def.innerType as z.core.$ZodType, path, document);
  const [step, ...deeper] = path;
  if (step === undefined) return def.type === "object" ? Object.keys(def.shape as object) : [];
  const next = {
    object: (def.shape as Record<string, z.core.$ZodType> | undefined)?.[step],
    array: def.element,
    record: def.valueType,
  };
  const child = next[def.type as keyof typeof next] as z.core.$ZodType | undefined;
  return child ? knownKeys(child, deeper, (document as Record<string | number, unknown>)[step]) : [];
}

function accepts(option: z.core.$ZodType, document: unknown, discriminator: string | undefined): boolean {
  const shape = ((option as z.ZodType).def as { shape?: Record<string, z.ZodType> }).shape;
  if (discriminator === undefined) return shape !== undefined && typeof document === "object";
  return shape?.[discriminator]?.safeParse((document as Record<string, unknown>)[discriminator]).success ?? false;
}

/** What must go from a document so that an issue does not come up again. */
function placesOf(issue: z.core.$ZodIssue, document: unknown): Path[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => [...path, key]);
  return [at(document, path) === undefined ? path.slice(0, -1) : path];
}

export function at(document: unknown, path: Path): unknown {
  return path.reduce<unknown>((node, step) => (node as Record<string | number, unknown> | undefined)?.[step], document);
}

/** Names that a document has at a path, whether or not what they stand for is accepted. */
export function keysAt(document: unknown, path: Path): string[] {
  const node = at(document, path);
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => (value === undefined ? [] : [key]));
}

/** Later list entries first, and what is inside a thing before the thing: no removal moves a later one. */
function lastFirst(a: Path, b: Path): number {
  const step = a.findIndex((s, i) => s !== b[i]);
  const [left, right] = [a[step], b[step]];
  if (left === undefined || right === undefined) return b.length - a.length;
  return typeof left === "number" && typeof right === "number" ? right - left : String(left) < String(right) ? -1 : 1;
}

function remove(document: unknown, path: Path, removed: Map<string, number[]>): void {
  const parent = at(document, path.slice(0, -1));
  const step = path.at(-1);
  if (Array.isArray(parent) && typeof step === "number") {
    if (!(step in parent)) return;
    const whole = restore(path, removed);
    const list = JSON.stringify(whole.slice(0, -1));
    removed.set(
      list,
      [...(removed.get(list) ?? []), whole.at(-1) as number].toSorted((a, b) => a - b),
    );
    parent.splice(step, 1);
  } else if (typeof parent === "object" && parent !== null && step !== undefined) {
    Reflect.deleteProperty(parent, step);
  }
}

function restore(path: Path, removed: Map<string, number[]>): Path {
  const whole: (string | number)[] = [];
  for (const step of path) {
    const gone = typeof step === "number" ? (removed.get(JSON.stringify(whole)) ?? []) : [];
    whole.push(
      gone.reduce<string | number>((index, hole) => (hole <= (index as number) ? (index as number) + 1 : index), step),
    );
  }
  return whole;
}
