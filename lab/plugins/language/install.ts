import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { ServerWritableStream } from "@grpc/grpc-js";
import * as grpc from "@grpc/grpc-js";
import type * as Pb from "@pulumi/pulumi/proto/language_pb.js";
import pb from "@pulumi/pulumi/proto/language_pb.js";
import { parseOptions } from "./options.ts";
import type { PackageManager } from "./options.ts";
import { packageRoot, readManifest } from "./packages.ts";

type InstallCall = ServerWritableStream<Pb.InstallDependenciesRequest, Pb.InstallDependenciesResponse>;

/** `pulumi install`: runs the package manager and streams what it says. */
export function installDependencies(call: InstallCall): void {
  const info = call.request.getInfo();
  const manager = packageManager(info);
  const production = parseOptions(info?.getOptions()).production && manager === "npm" ? ["--omit=dev"] : [];
  const args = ["install", ...(manager === "npm" ? ["--loglevel=error"] : []), ...production];
  const child = spawn(manager, args, { cwd: info?.getProgramDirectory() ?? ".", stdio: ["ignore", "pipe", "pipe"] });
  call.write(new pb.InstallDependenciesResponse().setStdout(Buffer.from("Installing dependencies...\n\n")));
  child.stdout.on("data", (chunk: Buffer) => call.write(new pb.InstallDependenciesResponse().setStdout(chunk)));
  child.stderr.on("data", (chunk: Buffer) => call.write(new pb.InstallDependenciesResponse().setStderr(chunk)));
  const fail = (details: string) => call.emit("error", { code: grpc.status.UNKNOWN, details });
  child.once("error", (error) => fail(`could not run ${manager}: ${error.message}`));
  child.once("close", (code) => {
    if (code !== 0) {
      fail(`${manager} ${args.join(" ")} failed with exit code ${String(code)}`);
      return;
    }
    call.write(new pb.InstallDependenciesResponse().setStdout(Buffer.from("Finished installing dependencies\n\n")));
    call.end();
  });
}

/** As chosen in Pulumi.yaml, else by the lock file that lies there. */
export function packageManager(info: Pb.ProgramInfo | undefined): PackageManager {
  const chosen = parseOptions(info?.getOptions()).packagemanager;
  if (chosen !== "auto") return chosen;
  const has = (file: string) => existsSync(join(info?.getProgramDirectory() ?? ".", file));
  if (has("yarn.lock")) return "yarn";
  if (has("pnpm-lock.yaml")) return "pnpm";
  return has("bun.lock") || has("bun.lockb") ? "bun" : "npm";
}

/**
 * Read from the package that the command on PATH belongs to: the engine asks before every preview, and starting npm
 * only to hear its version would take half a second each time.
 */
export function packageManagerVersion(manager: PackageManager): string | undefined {
  const command = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, manager))
    .find(isExecutable);
  const root = command === undefined ? undefined : packageRoot(dirname(realpathSync(command)));
  return root === undefined ? undefined : readManifest(root).version;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
