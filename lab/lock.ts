import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "./state.ts";

/**
 * Runs `work` while no other `npm run lab` works on the same lab. The lock names its owner; one whose owner is gone
 * (a kill, a power cut) is taken over.
 */
export async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, "lock");
  while (!(await take(path))) {
    const owner = Number(await readIfThere(path));
    if (isAlive(owner))
      throw new Error(
        `${path}: this lab is being worked on by process ${owner}; wait for it or end it (kill ${owner})`,
      );
    await rm(path, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/** A link appears with its content at once: nobody ever reads a lock without an owner. */
async function take(path: string): Promise<boolean> {
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
