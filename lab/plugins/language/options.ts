import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";

/** `runtime.options` of Pulumi.yaml. */
export interface Options {
  /** Compile TypeScript with ts-node while the program loads. @default true */
  readonly typescript: boolean;
  readonly tsconfig?: string;
  readonly nodeargs: readonly string[];
  readonly packagemanager: PackageManager | "auto";
  /** Leave out devDependencies on install. */
  readonly production: boolean;
}

export type PackageManager = (typeof packageManagers)[number];

const packageManagers = ["npm", "yarn", "pnpm", "bun"] as const;

export function parseOptions(struct: Struct | undefined): Options {
  const raw: Readonly<Record<string, unknown>> = struct?.toJavaScript() ?? {};
  return {
    typescript: boolean(raw, "typescript", true),
    tsconfig: text(raw, "tsconfig"),
    nodeargs: splitWords(text(raw, "nodeargs") ?? ""),
    packagemanager: packageManager(text(raw, "packagemanager") ?? "auto"),
    production: boolean(raw, "production", false),
  };
}

/** Splits as a shell does: blanks separate, quotes and backslashes keep. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const word = /(?:[^\s'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/gy;
  let rest = line.trimStart();
  while (rest !== "") {
    word.lastIndex = 0;
    const found = word.exec(rest)?.[0];
    if (found === undefined) throw new Error(`nodeargs: a quote or a backslash is not closed, got ${line}`);
    words.push(unquote(found));
    rest = rest.slice(found.length).trimStart();
  }
  return words;
}

function unquote(word: string): string {
  return word.replaceAll(/'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g, (...groups: (string | undefined)[]) => {
    const [, single, double, escaped] = groups;
    return single ?? double?.replaceAll(/\\(["\\])/g, "$1") ?? escaped ?? "";
  });
}

function boolean(raw: Readonly<Record<string, unknown>>, name: string, fallback: boolean): boolean {
  const value = raw[name] ?? fallback;
  if (typeof value !== "boolean") throw new Error(`${name} option must be a boolean`);
  return value;
}

function text(raw: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = raw[name];
  if (value !== undefined && typeof value !== "string") throw new Error(`${name} option must be a string`);
  return value;
}

function packageManager(name: string): PackageManager | "auto" {
  const known = ["auto" as const, ...packageManagers].find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new Error(`packagemanager option must be one of auto, npm, yarn, pnpm or bun, got ${name}`);
}
