/** A property path in parts: names of properties, numbers of list elements; `*` stands for any one of either. */
export type Path = readonly (string | number)[];

/** `taskSpec.networks[0].aliases`, or `labels["com.example.team"]` where a name has its own dots. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (part === "" || /[.[\]"]/.test(part)) text += `["${part.replaceAll('"', '\\"')}"]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

export function parsePath(text: string): Path {
  const path: (string | number)[] = [];
  const token = /\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[\*\]|\.?([^.[\]]+)/gy;
  for (const match of text.matchAll(token)) {
    const [whole, quoted, index, name] = match;
    if (quoted !== undefined) path.push(quoted.replaceAll('\\"', '"'));
    else if (index !== undefined) path.push(Number(index));
    else path.push(whole === "[*]" ? "*" : (name ?? ""));
  }
  return path;
}

/** True when `path` is what `pattern` names, or lies inside it. */
export function isWithin(path: Path, pattern: Path): boolean {
  return pattern.length <= path.length && pattern.every((part, i) => part === "*" || part === path[i]);
}

/** True when a change at `path` touches what `pattern` names: inside it, equal, or a whole that contains it. */
export function touches(path: Path, pattern: Path): boolean {
  return isWithin(path, pattern) || path.every((part, i) => pattern[i] === "*" || pattern[i] === part);
}

export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
