import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import Docker from "dockerode";
import { labLabel } from "../../../lab/docker.ts";
import { exists } from "../../../lab/state.ts";

/* The lab as its users meet it: `npm run lab -- …` without npm, and what it has in Docker. */

const root = join(import.meta.dirname, "../../..");

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
}

/** Runs `lab/main.ts`; sends SIGINT as soon as the output matches `interruptAt`. */
export async function labCommand(args: readonly string[], interruptAt?: RegExp): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, ["lab/main.ts", ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let interrupted = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (interrupted || interruptAt?.test(output) !== true) return;
      interrupted = true;
      child.kill("SIGINT");
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  assert.equal(interrupted, interruptAt !== undefined, `never said ${String(interruptAt)}:\n${output}`);
  return { code, output, seconds: (performance.now() - started) / 1000 };
}

/** An object of a lab in Docker. */
export interface LabObject {
  readonly id: string;
  readonly lab: string;
}

/** What labs have in Docker, sorted. */
export async function labObjects(): Promise<LabObject[]> {
  const docker = new Docker();
  const filters = { label: [labLabel] };
  const containers = await docker.listContainers({ all: true, filters });
  const networks = await docker.listNetworks({ filters });
  const { Volumes } = await docker.listVolumes();
  const found = [
    ...containers.map(({ Id, Labels }) => ({ id: Id, lab: Labels[labLabel] })),
    ...networks.map(({ Id, Labels }) => ({ id: Id, lab: Labels?.[labLabel] })),
    ...Volumes.map(({ Name, Labels }) => ({ id: Name, lab: (Labels as Record<string, string> | null)?.[labLabel] })),
  ];
  return found
    .flatMap(({ id, lab }) => (lab === undefined ? [] : [{ id, lab }]))
    .sort((one, other) => one.id.localeCompare(other.id));
}

/** Of one lab. */
export async function objectsOf(name: string): Promise<string[]> {
  return (await labObjects()).filter(({ lab }) => lab === name).map(({ id }) => id);
}

/** Whether the lab has its files; one that is being removed loses them last. */
export async function hasFiles(name: string): Promise<boolean> {
  return (await exists(join(root, ".lab", name))) || (await exists(join(root, ".berth", name)));
}
