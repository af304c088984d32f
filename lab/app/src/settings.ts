import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** What the environment tells a process. Secrets come as files: NAME_FILE names the file that holds NAME. */
export const settings = {
  system: process.env["APP_SYSTEM"] ?? "unnamed",
  /** Name of the image, by which answers say who gave them. */
  name: process.env["APP_NAME"] ?? "unnamed",
  /** The tag of the image, and with it how it behaves: `-broken` is never healthy, `-crash` ends soon after it started. */
  version: process.env["APP_VERSION"] ?? "0.0.0",
  task: hostname(),
  port: Number((process.env["PORT"] ?? "8000").split(" ")[0]),
  ports: (process.env["PORT"] ?? "8000").split(" ").map(Number),
  /** Keep it below the service's `stopGracePeriod`: what is left then is cut off by the engine. */
  drainMs: Number(process.env["DRAIN_SECONDS"] ?? 25) * 1000,
  /** How long a stopping task goes on accepting: an edge that resolves names every second may still come here. */
  lameDuckMs: Number(process.env["LAME_DUCK_SECONDS"] ?? 3) * 1000,
};

export const isBroken = settings.version.endsWith("-broken");
export const isCrashing = settings.version.endsWith("-crash");
/** Of neither is any task ever healthy, however early it is asked. */
export const isBad = isBroken || isCrashing;

/** A secret by name; undefined when it was not handed over or is empty. */
export function secret(name: string): string | undefined {
  const path = process.env[`${name}_FILE`];
  const value = path === undefined ? process.env[name] : readFileSync(path, "utf8").trim();
  return value === "" ? undefined : value;
}

/** Names and lengths of the secrets that were handed over as files; never their text. */
export function secretFiles(): { name: string; length: number | string }[] {
  return Object.entries(process.env)
    .filter(([name]) => name.endsWith("_FILE"))
    .map(([name, path]) => ({ name: name.slice(0, -"_FILE".length), length: lengthOf(path ?? "") }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function lengthOf(path: string): number | string {
  try {
    return readFileSync(path, "utf8").length;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}

/** One JSON line per event, as log collectors like it. */
export function log(event: string, details: Record<string, unknown> = {}): void {
  const { system, version, task } = settings;
  process.stdout.write(
    JSON.stringify({ at: new Date().toISOString(), event, system, version, task, ...details }) + "\n",
  );
}
