import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { exportsFile } from "./environment.ts";
import { handleInterrupts, Interrupted } from "./interrupt.ts";
import { withLock } from "./lock.ts";
import { Progress } from "./progress.ts";
import { parseCommandLine, UsageError } from "./settings.ts";
import { readIfThere } from "./state.ts";

/*
 * npm run lab [-- up|down|env|build] [--name NAME] [--system NAME] [--hosts N] [--http-port N] [--https-port N]
 * `build` fills the caches alone: what takes minutes on a new machine.
 * Everything is check-then-act: after an interruption, `up` goes on where it stopped and `down` removes what there is.
 */

enableCompileCache();
const root = join(import.meta.dirname, "..");

try {
  const [verb, lab] = parseCommandLine(process.argv.slice(2), process.env, root);
  switch (verb) {
    case "env": {
      const exports = await readIfThere(exportsFile(lab));
      if (exports === undefined) throw new Error(`no lab called ${lab.name} runs ${lab.system}; npm run lab makes it`);
      process.stdout.write(exports);
      break;
    }
    case "up": {
      const { up } = await import("./up.ts");
      await withLock(lab.directory, () => up(lab, inView()));
      break;
    }
    case "build": {
      const { build } = await import("./up.ts");
      const { labSystem, systemNames } = await import("./systems.ts");
      // Belongs to no lab, so it works in the cache itself; a second one at the same time is told so.
      const shared = { ...lab, directory: join(lab.cache, "lab"), prepared: true };
      await withLock(shared.directory, async () => {
        const systems = await Promise.all(systemNames(root).map((name) => labSystem(root, name)));
        await build(shared, systems, inView());
      });
      break;
    }
    case "down": {
      const { down } = await import("./down.ts");
      await withLock(lab.directory, () => down(lab, inView()));
      break;
    }
  }
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = exitCode(error);
}

function exitCode(error: unknown): number {
  if (error instanceof UsageError) return 2;
  return error instanceof Interrupted ? 130 : 1;
}

function inView(): Progress {
  handleInterrupts(() => {
    process.stderr.write(
      "\nlab: interrupted; `npm run lab` goes on from here, `npm run lab:down` removes what there is\n",
    );
    process.exit(130);
  });
  return new Progress((text) => process.stdout.write(text));
}
