import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Text for standard input; none means the end of file at once. */
  readonly input?: string;
  /** Called with every whole line of both outputs. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Runs a command and returns its standard output; a failure carries the last lines that it printed. */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const [command, ...args] = argv;
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, signal: options.signal });
  let output = "";
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      if (stream === child.stdout) output += chunk;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        tail.push(line);
        options.onLine?.(line);
      }
      tail.splice(0, tail.length - 30);
    });
  }
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      resolve(status ?? signal ?? "unknown");
    });
  });
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${tail.map((line) => `  ${line}`).join("\n")}`);
  return output;
}

/** Whether a program is on PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  const found = await Promise.all(
    places.map((place) =>
      access(join(place, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
