import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import type { local } from "@pulumi/command";
import { boolean, list, map, misfits, object, required, string, any } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import type { CheckFailure, Context, Properties } from "../framework/types.ts";
import { Capture } from "./capture.ts";
import { commandResource, logging, previousOutput } from "./resource.ts";
import type { Output } from "./resource.ts";

const runInputs = {
  command: required(string),
  addPreviousOutputInEnv: boolean,
  archivePaths: list(string),
  assetPaths: list(string),
  dir: string,
  environment: map(string),
  interpreter: list(string),
  logging,
  stdin: string,
} satisfies Record<keyof local.RunArgs, Shape | Required>;

const { command: _command, ...common } = runInputs;

const commandInputs = {
  ...common,
  create: string,
  update: string,
  delete: string,
  triggers: list(any),
} satisfies Record<keyof local.CommandArgs, Shape | Required>;

/** `command.local.Command` */
export const localCommand = commandResource(commandInputs, run, {
  prepare: (news) => ({ inputs: news, failures: notOffered(news) }),
});

/** `command.local.run`: runs on every program run, previews included. */
export async function localRun(args: Properties, context: Context<undefined>): Promise<Properties> {
  const failures = [...misfits(object(runInputs), args), ...notOffered(args)];
  if (failures.length > 0) throw new Error(failures.map((f) => `${f.property}: ${f.reason}`).join("; "));
  const output = await run(args["command"] as string, args, { stdout: "", stderr: "" }, context);
  return { ...args, ...output };
}

function notOffered(settings: Properties): CheckFailure[] {
  return ["assetPaths", "archivePaths"]
    .filter((property) => settings[property] !== undefined)
    .map((property) => ({
      property,
      reason: "is not offered by the stand-in; use the official plugin (pulumi plugin install resource command 1.2.1)",
    }));
}

async function run(
  command: string,
  settings: Properties,
  previous: Output,
  context: Context<undefined>,
): Promise<Output> {
  const interpreter = settings["interpreter"] as string[] | undefined;
  const [program, ...args] = [...(interpreter?.length ? interpreter : ["/bin/sh", "-c"]), command];
  const cwd = (settings["dir"] as string | undefined) ?? process.cwd();
  const environment = settings["environment"] as Record<string, string> | undefined;
  const env = { ...process.env, ...environment, ...previousOutput(settings, previous) };
  const capture = new Capture(settings, context);
  await checkDirectory(cwd, capture, command);

  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const child = spawn(program, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  context.signal.addEventListener("abort", kill, { once: true });
  child.stdout.on("data", (chunk: Buffer) => {
    capture.add("stdout", chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    capture.add("stderr", chunk);
  });
  child.once("error", (error: NodeJS.ErrnoException) => {
    resolve(startFailure(program, error));
  });
  child.once("close", (code, signal) => {
    resolve(exitFailure(code, signal));
  });
  child.stdin.on("error", (error: NodeJS.ErrnoException) => {
    // A command need not read its input.
    if (error.code !== "EPIPE") resolve(error.message);
  });
  child.stdin.end(settings["stdin"] as string | undefined);
  const reason = await promise;
  context.signal.removeEventListener("abort", kill);
  if (reason !== undefined) throw capture.failure(reason, command);
  return capture.finish();
}

/** Node reports a missing directory as a missing program, which would send the reader to the wrong place. */
async function checkDirectory(cwd: string, capture: Capture, command: string): Promise<void> {
  const isDirectory = await stat(cwd).then(
    (found) => found.isDirectory(),
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  if (isDirectory === true) return;
  const reason = isDirectory === false ? "not a directory" : "no such file or directory";
  throw capture.failure(`chdir ${cwd}: ${reason}`, command);
}

function startFailure(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT" && !program.includes("/"))
    return `exec: "${program}": executable file not found in $PATH`;
  const reason =
    error.code === "ENOENT"
      ? "no such file or directory"
      : error.code === "EACCES"
        ? "permission denied"
        : error.message;
  return `fork/exec ${program}: ${reason}`;
}

function exitFailure(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (code === 0) return undefined;
  return code === null ? `signal: ${signalText[signal ?? ""] ?? signal ?? "unknown"}` : `exit status ${code}`;
}

const signalText: Readonly<Record<string, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
};
