import { spawn, type StdioOptions } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OperatorError } from "./verb.ts";

/** Which stack a `pulumi` command is about, and where it runs. */
export interface StackRef {
  readonly root: string;
  readonly stack: string;
  /** As given with `--config-file`. */
  readonly configFile?: string;
}

interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Stack outputs in clear: `releases` is masked only to keep it off the screen (see index.ts); no other is a secret. */
export async function stackOutputs(ref: StackRef): Promise<Record<string, unknown>> {
  return (await json(ref, ["stack", "output", "--json", "--show-secrets", ...select(ref)])) as Record<string, unknown>;
}

/** The newest `count` operations on the stack, newest first. */
export async function stackHistory(ref: StackRef, count: number): Promise<unknown[]> {
  const args = ["stack", "history", "--json", "--page-size", String(count), "--page", "1", ...select(ref)];
  return (await json(ref, args)) as unknown[];
}

/** A secret of the stack file in clear. */
export async function configSecret(ref: StackRef, key: string): Promise<string> {
  const args = ["config", "get", key, "--json", ...select(ref), ...file(ref)];
  return ((await json(ref, args)) as { value: string }).value;
}

/** Puts a secret into the stack file, encrypted; it goes to Pulumi by standard input. */
export async function setConfigSecret(ref: StackRef, key: string, value: string): Promise<void> {
  const args = ["config", "set", "--secret", key, ...select(ref), ...file(ref), "--non-interactive"];
  const { code, stderr } = await run(ref, args, ["pipe", "pipe", "pipe"], {}, value);
  if (code === 0) return;
  throw new OperatorError(
    `pulumi config set: failed with exit code ${code ?? "none"}: ${stderr.trim().replace(/^error: /, "")}; ` +
      "the verbs use the environment's backend and passphrase",
  );
}

export interface UpResult {
  /** Exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** It got past preview and prompt and began to change something. */
  readonly changed: boolean;
}

/**
 * `pulumi up` on the operator's own terminal: its preview, its prompt, its colours. Ctrl-C reaches Pulumi through the
 * terminal, which then ends in order; this process outlives it to tidy up. A TERM sent to this process is passed on.
 *
 * What was done is read from the engine's event log, as Pulumi's own Automation API does: it is right also after a
 * second Ctrl-C, when neither exit code nor history tell how far it came.
 */
export async function up(ref: StackRef, args: readonly string[]): Promise<UpResult> {
  const directory = mkdtempSync(join(tmpdir(), "berth-up-"));
  const log = join(directory, "events.jsonl");
  try {
    const all = ["up", ...select(ref), ...file(ref), ...args, "--event-log", log];
    const { code } = await run(ref, all, "inherit", { PULUMI_DEBUG_COMMANDS: "true" });
    return { code, changed: existsSync(log) && changedSomething(readFileSync(log, "utf8")) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const harmless = new Set(["same", "read", "refresh"]);

/** Reads an event log, whose last line may be incomplete. */
export function changedSomething(log: string): boolean {
  return log
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .some((line) => {
      const { resourcePreEvent: step } = JSON.parse(line) as {
        resourcePreEvent?: { planning?: boolean; metadata: { op: string } };
      };
      return step !== undefined && step.planning !== true && !harmless.has(step.metadata.op);
    });
}

function select(ref: StackRef): string[] {
  return ["--stack", ref.stack];
}

function file(ref: StackRef): string[] {
  return ref.configFile === undefined ? [] : ["--config-file", ref.configFile];
}

async function json(ref: StackRef, args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run(ref, [...args, "--non-interactive"], ["ignore", "pipe", "pipe"]);
  if (code !== 0) {
    const said = stderr.trim().replace(/^error: /, "");
    // 6 is Pulumi's exit code when there is no such stack.
    const cure = code === 6 ? "see `pulumi stack ls`" : "the verbs use the environment's backend and passphrase";
    throw new OperatorError(
      `pulumi ${args.slice(0, 2).join(" ")}: failed with exit code ${code ?? "none"}: ${said}; ${cure}`,
    );
  }
  return JSON.parse(stdout);
}

async function run(
  ref: StackRef,
  args: readonly string[],
  stdio: StdioOptions,
  env: NodeJS.ProcessEnv = {},
  input?: string,
): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", args, { cwd: ref.root, stdio, env: { ...process.env, ...env } });
    let stdout = "";
    let stderr = "";
    // One that ends without reading says why by its exit.
    child.stdin?.on("error", () => undefined).end(input);
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const outlive = () => undefined;
    const passOn = (signal: NodeJS.Signals) => child.kill(signal);
    process.on("SIGINT", outlive).on("SIGTERM", passOn);
    const settle = () => process.off("SIGINT", outlive).off("SIGTERM", passOn);
    child.once("error", (error: NodeJS.ErrnoException) => {
      settle();
      reject(
        error.code === "ENOENT"
          ? new OperatorError(
              'pulumi: not found on PATH; install Pulumi, or for the lab run `eval "$(npm run --silent lab -- env)"`',
            )
          : error,
      );
    });
    child.once("close", (code) => {
      settle();
      resolve({ code, stdout, stderr });
    });
  });
}
