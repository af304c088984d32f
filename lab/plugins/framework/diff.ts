import { formatPath, isWithin, parsePath, touches } from "./paths.ts";
import { unknown } from "./types.ts";
import type { Diff, Properties } from "./types.ts";
import { isPlainObject } from "./wire.ts";

/**
 * The paths at which two property trees differ, as deep as possible: `taskSpec.containerSpec.env.LOG_LEVEL`.
 * An unknown differs from everything, since the update may bring another value.
 */
export function changedPaths(olds: Properties, news: Properties): string[] {
  const paths: string[] = [];
  compare(olds, news, [], paths);
  return paths;
}

/** Those of the changed paths that touch one of the patterns, for example `networks[*].aliases`. */
export function touching(changes: readonly string[], patterns: readonly string[]): string[] {
  const parsed = patterns.map(parsePath);
  return changes.filter((change) => parsed.some((pattern) => touches(parsePath(change), pattern)));
}

/** Those of the changed paths that are not inside one of the patterns. */
export function without(changes: readonly string[], patterns: readonly string[]): string[] {
  const parsed = patterns.map(parsePath);
  return changes.filter((change) => !parsed.some((pattern) => isWithin(parsePath(change), pattern)));
}

/** The usual answer of a resource: compare the inputs, and replace when one of `replaceOn` is touched. */
export function structuralDiff(
  oldInputs: Properties,
  news: Properties,
  options: { readonly replaceOn?: readonly string[]; readonly deleteBeforeReplace?: boolean } = {},
): Diff {
  const changes = changedPaths(oldInputs, news);
  const replaces = touching(changes, options.replaceOn ?? []);
  return { changes, replaces, deleteBeforeReplace: replaces.length > 0 && (options.deleteBeforeReplace ?? false) };
}

export function isEqual(a: unknown, b: unknown): boolean {
  const paths: string[] = [];
  compare(a, b, ["value"], paths);
  return paths.length === 0;
}

function compare(a: unknown, b: unknown, path: readonly (string | number)[], paths: string[]): void {
  if (a === b && a !== unknown) return;
  if (isPlainObject(a) && isPlainObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) compare(a[key], b[key], [...path, key], paths);
  } else if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) compare(a[i], b[i], [...path, i], paths);
  } else {
    paths.push(formatPath(path));
  }
}
