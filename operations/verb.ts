import type { ParseArgsOptionsConfig } from "node:util";
import type { StackRef } from "./pulumi.ts";
import type { StackFile } from "./stack-file.ts";

/** Exit codes of `npm run berth`; `rollback` passes on the code of the `pulumi up` it ran when that one failed. */
export const exitCodes = { done: 0, failed: 1, usage: 2, notAsPinned: 3 } as const;

/** What a verb refuses, in words for the operator: printed without a stack trace. */
export class OperatorError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.name = "OperatorError";
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): OperatorError {
  return new OperatorError(message, exitCodes.usage);
}

/** What a verb works with; a test brings its own. */
export interface Context {
  /** Project root: the directory of `Pulumi.yaml`. */
  readonly root: string;
  /** The answer: standard output. */
  readonly print: (text: string) => void;
  /** What happens meanwhile: standard error, so that `--json` can be piped. */
  readonly note: (text: string) => void;
  readonly openRegistry: OpenRegistry;
}

/** What a verb wants to know from the registry that images will be pulled from. */
export interface Registry {
  /** Digest of a reference with tag or digest; `undefined` when the registry has no such image. */
  digest(ref: string): Promise<string | undefined>;
  close(): void;
}

export type OpenRegistry = (ref: StackRef, file: StackFile) => Promise<Registry>;

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface Verb {
  /** Arguments after the verb, as the usage line shows them. */
  readonly usage: string;
  /** Everything below the usage line of `--help`. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** How many arguments it takes. */
  readonly positionals: { readonly min: number; readonly max: number };
  run(context: Context, positionals: readonly string[], flags: Flags): Promise<number>;
}

/** Verbs that concern a stack. */
export const stackOptions = {
  "config-file": { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

export const stackOptionsHelp = "  --config-file PATH  stack file to use instead of Pulumi.<stack>.yaml";

export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}
