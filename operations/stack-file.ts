import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
import { imageRefPattern } from "../components/shared/image-ref.ts";
import { OperatorError } from "./verb.ts";
import type { StackRef } from "./pulumi.ts";
import { setValue } from "./yaml-edit.ts";

/*
 * The stack file as the verbs see it: text to edit and the `berth:` values in it. Pulumi's own checks of the values
 * run with the next preview; here only what a verb is about to use is looked at, so that a file with a fault
 * elsewhere can still be rolled back.
 */

const prefix = "berth:";

export interface StackFile {
  readonly path: string;
  readonly text: string;
  /** Values of the `berth:` keys without their prefix; secrets as Pulumi sealed them. */
  readonly values: Readonly<Record<string, unknown>>;
}

export function stackFilePath({ root, stack, configFile }: StackRef): string {
  return configFile === undefined ? join(root, `Pulumi.${basename(stack)}.yaml`) : resolve(root, configFile);
}

export function readStackFile(ref: StackRef): StackFile {
  const path = stackFilePath(ref);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new OperatorError(
      `${path}: the stack file does not exist; check the stack's name, got ${JSON.stringify(ref.stack)}, ` +
        "or give its file with --config-file PATH",
    );
  }
  return parseStackFile(path, text);
}

export function parseStackFile(path: string, text: string): StackFile {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw new OperatorError(`${path}: is not YAML; correct it: ${(error as Error).message}`);
  }
  const config = (content as { config?: unknown } | null)?.config;
  if (!isRecord(config)) throw new OperatorError(`${path}: has no \`config:\` section; is it a Pulumi stack file?`);
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  return { path, text, values: Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])) };
}

/** Image pins by name. */
export function imagePins(file: StackFile): Readonly<Record<string, string>> {
  const images = file.values["images"] ?? {};
  if (!isRecord(images)) throw invalid(file, "images", "is not a map of names to pins", images);
  for (const [name, ref] of Object.entries(images)) {
    if (typeof ref !== "string" || !imageRefPattern.test(ref)) {
      throw invalid(file, `images.${name}`, "is not an image reference", ref);
    }
  }
  return images as Record<string, string>;
}

/** A value that must be text. */
export function textValue(file: StackFile, key: string): string {
  const value = file.values[key];
  if (typeof value !== "string") throw invalid(file, key, "is not text", value);
  return value;
}

export interface Change {
  /** Below `config`, the first key without `berth:`. */
  readonly path: readonly [string, ...string[]];
  /** `undefined` removes the key. */
  readonly value: unknown;
}

/** The file's text with some values changed and every other line as it was. */
export function withChanges(file: StackFile, changes: readonly Change[]): string {
  return changes.reduce((text, { path: [key, ...rest], value }) => {
    try {
      return setValue(text, ["config", prefix + key, ...rest], value);
    } catch (error) {
      throw new OperatorError(`${file.path}: cannot be edited: ${(error as Error).message}; nothing was changed`);
    }
  }, file.text);
}

/** Writes the file whole or not at all, also where the path is a symbolic link. */
export function writeStackFile(path: string, text: string): void {
  const target = realpathSync(path);
  const next = `${target}.berth-${process.pid}`;
  writeFileSync(next, text, { mode: statSync(target).mode });
  renameSync(next, target);
}

export function invalid(file: StackFile, path: string, what: string, got: unknown): OperatorError {
  const shown = got === undefined ? "nothing" : JSON.stringify(got);
  return new OperatorError(
    `${basename(file.path)}: ${prefix}${path}: ${what}, got ${shown}; correct it, \`pulumi preview\` checks the whole file`,
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
