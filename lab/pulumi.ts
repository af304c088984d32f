import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { interruptible, Interrupted } from "./interrupt.ts";
import { isAlive } from "./lock.ts";
import { run } from "./run.ts";
import { configFileArgs, type Lab } from "./settings.ts";
import { readIfThere } from "./state.ts";

/** Directory of the file backend. */
export function backendDirectory(lab: Pick<Lab, "directory">): string {
  return join(lab.directory, "state");
}

/** Runs pulumi and returns its standard output; for short commands that ask nothing. */
export async function pulumi(
  lab: Lab,
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return await run(["pulumi", ...args, "--non-interactive"], { cwd: lab.root, env, input });
}

/**
 * Runs `pulumi up` in view. It gets a process group of its own and each interruption once, from here: a terminal's
 * Ctrl-C goes to the whole group, and pulumi takes a second one as "stop at once, whatever is half done".
 */
export async function pulumiUp(lab: Lab, env: NodeJS.ProcessEnv): Promise<void> {
  const args = ["up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", lab.stack, ...configFileArgs(lab)];
  const child = spawn("pulumi", args, { cwd: lab.root, env, stdio: ["ignore", "inherit", "inherit"], detached: true });
  const interruption = new AbortController();
  const pass = () => {
    interruption.abort();
    child.kill("SIGINT");
  };
  const code = await interruptible(
    pass,
    () =>
      new Promise<number | string>((resolve, reject) => {
        child.once("error", reject).once("close", (status, signal) => {
          resolve(status ?? signal ?? "unknown");
        });
      }),
  );
  if (code !== 0 && interruption.signal.aborted) throw new Interrupted();
  if (code !== 0) throw new Error(`pulumi up ended with ${code}; what it says is above`);
}

/** The file backend's lock as pulumi writes it. */
interface StackLock {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

/**
 * Takes away the lock of a pulumi that was killed. A living one keeps it: two updates at once would undo each other.
 */
export async function clearStaleLock(lab: Lab, env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<void> {
  const directory = join(backendDirectory(lab), ".pulumi", "locks", "organization", "berth", lab.stack);
  const locks = await readdir(directory).catch(() => []);
  for (const file of locks) {
    const text = await readIfThere(join(directory, file));
    if (text === undefined) continue;
    const lock = JSON.parse(text) as StackLock;
    const owner = `process ${lock.pid} of ${lock.username} on ${lock.hostname}, since ${lock.timestamp}`;
    if (lock.hostname !== hostname() || isAlive(lock.pid))
      throw new Error(
        `stack ${lab.stack}: locked by ${owner}; wait for it, or, if it is surely gone: pulumi cancel --stack ${lab.stack}`,
      );
    await pulumi(lab, env, ["cancel", "--yes", "--stack", lab.stack]);
    say(`the stack's lock was left behind by ${owner}, which is gone: cancelled`);
    return;
  }
}

/** Stacks that were made on a lab: one for each of its systems. */
export async function stacksOf(lab: Pick<Lab, "directory">): Promise<string[]> {
  const files = await readdir(join(backendDirectory(lab), ".pulumi", "stacks", "berth")).catch(() => []);
  return files.flatMap((file) => (file.endsWith(".json") ? [file.slice(0, -".json".length)] : []));
}
