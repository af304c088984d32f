import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { RunRequest } from "@pulumi/pulumi/proto/language_pb.js";
import { parseOptions } from "./options.ts";

export interface Outcome {
  /** Shown by the engine; empty after success and when the program has said everything itself. */
  readonly error: string;
  readonly bail: boolean;
}

/** Exit code by which the SDK says that it has already shown the user what is wrong. */
const alreadyExplained = 32;

/** How long a program may take to leave after it was asked to. */
const graceMs = 5000;

/** Runs the program in a process of its own, as the engine asks, until it ends or `signal` interrupts it. */
export async function runProgram(request: RunRequest, engine: string, signal: AbortSignal): Promise<Outcome> {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() ?? request.getPwd();
  if (request.getAttachDebugger()) {
    return failed("--attach-debugger needs the official language host: pulumi plugin install language nodejs");
  }
  let options;
  let runner;
  let config;
  try {
    options = parseOptions(info?.getOptions());
    runner = locateRunner(directory);
    config = programConfig(request);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
  const env = {
    ...process.env,
    PULUMI_CONFIG: JSON.stringify(config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    ...(options.typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
    ...(options.tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig }),
  };
  return execute([...options.nodeargs, runner, ...programArguments(request, engine)], env, signal);
}

export function programArguments(request: RunRequest, engine: string): string[] {
  const info = request.getInfo();
  const flags: Readonly<Record<string, string | undefined>> = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info?.getRootDirectory(),
    stack: request.getStack(),
    pwd: info?.getProgramDirectory(),
  };
  const given = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`--${name}`, value],
  );
  const dryRun = request.getDryrun() ? ["--dry-run"] : [];
  const entryPoint = info?.getEntryPoint() ?? ".";
  return [...given, ...dryRun, "--parallel", String(request.getParallel()), entryPoint, ...request.getArgsList()];
}

/** The SDK reads configuration keys in the form `<project>:config:<name>`. */
export function programConfig(request: RunRequest): Record<string, string> {
  const config: Record<string, string> = {};
  for (const [key, value] of request.getConfigMap().toArray()) {
    const [namespace = "", ...rest] = key.split(":");
    const name = rest[0] === "config" ? rest.slice(1).join(":") : rest.join(":");
    if (name === "") throw new Error(`could not parse ${key} as a configuration key`);
    config[`${namespace}:config:${name}`] = value;
  }
  return config;
}

function locateRunner(directory: string): string {
  const runner = process.env["PULUMI_LANGUAGE_NODEJS_RUN_PATH"] ?? "@pulumi/pulumi/cmd/run";
  try {
    return createRequire(join(directory, "package.json")).resolve(runner);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new Error("It looks like the Pulumi SDK has not been installed. Have you run pulumi install?", {
      cause: error,
    });
  }
}

async function execute(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const child = spawn("node", args, { env, stdio: ["ignore", "inherit", "pipe"] });
  let outOfMemory = false;
  child.stderr.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    outOfMemory ||= chunk.includes("<--- Last few GCs --->");
  });
  const interrupt = () => {
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGKILL"), graceMs).unref();
  };
  signal.addEventListener("abort", interrupt, { once: true });
  child.once("error", (error: NodeJS.ErrnoException) => {
    resolve(
      failed(error.code === "ENOENT" ? "could not find node on the $PATH" : `could not run node: ${error.message}`),
    );
  });
  child.once("close", (code, killedBy) => {
    signal.removeEventListener("abort", interrupt);
    resolve(outcome(code, killedBy, outOfMemory));
  });
  return promise;
}

function outcome(code: number | null, killedBy: string | null, outOfMemory: boolean): Outcome {
  if (code === 0) return { error: "", bail: false };
  if (code === alreadyExplained) return { error: "", bail: true };
  if (code === null) return failed(`Program was ended by ${killedBy ?? "a signal"}${outOfMemory ? memoryHint : ""}`);
  return failed(`Program exited with non-zero exit code: ${code}${outOfMemory ? memoryHint : ""}`);
}

const memoryHint =
  ". Node ran out of memory: set `nodeargs: --max-old-space-size=<megabytes>` under runtime.options in Pulumi.yaml";

function failed(error: string): Outcome {
  return { error, bail: false };
}
