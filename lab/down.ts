import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { ensureDocker } from "./daemon.ts";
import { removeLabObjects, removePushNames } from "./docker.ts";
import { stacksOf } from "./pulumi.ts";
import type { Progress } from "./progress.ts";
import { layersVolume } from "./layers.ts";
import { isInstalled } from "./run.ts";
import type { Lab } from "./settings.ts";
import { partPortsFile } from "./parts.ts";
import { exists, keptPorts } from "./state.ts";

/** `npm run lab:down`: removes all of one lab and nothing else. */
export async function down(lab: Lab, progress: Progress): Promise<void> {
  await progress.phase("down", async (report) => {
    if (await isInstalled("dockerd")) {
      const docker = await ensureDocker(lab.cache, () => undefined);
      const { registry } = await keptPorts(partPortsFile(lab));
      if (registry !== undefined) await removePushNames(docker, registry);
      for (const removed of await removeLabObjects(docker, lab)) report(`removed ${removed}`);
    }
    const stacks = [...new Set([lab.name, ...(await stacksOf(lab))])];
    const connections = stacks.map((stack) => join(lab.root, ".berth", stack));
    for (const path of [lab.stackFile, ...connections, lab.directory]) {
      if (!(await exists(path))) continue;
      await rm(path, { recursive: true, force: true });
      report(`removed ${path}`);
    }
    for (const parent of [join(lab.root, ".lab"), join(lab.root, ".berth")]) await removeIfEmpty(parent);
  });
  progress.say(
    `Kept, for the next lab: ${lab.cache} (engine, compiled code), images berth-lab/*, volume ${layersVolume}, installed packages, Docker itself.`,
  );
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["ENOTEMPTY", "ENOENT"].includes(code)) throw error;
  }
}
