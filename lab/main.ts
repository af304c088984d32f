import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { withLock } from "./lock.ts";
import { Progress } from "./progress.ts";
import { parseCommandLine, UsageError } from "./settings.ts";
import { readIfThere } from "./state.ts";

/*
 * npm run lab [-- up|down|env] [--name NAME] [--http-port N] [--https-port N]
 * Everything is check-then-act: after an interruption, `up` goes on where it stopped and `down` removes what there is.
 */

enableCompileCache();
const root = join(import.meta.dirname, "..");

try {
  const [verb, lab] = parseCommandLine(process.argv.slice(2), process.env, root);
  switch (verb) {
    case "env": {
      const exports = await readIfThere(join(lab.directory, "env.sh"));
      if (exports === undefined) throw new Error(`no lab called ${lab.name} is up; npm run lab makes it`);
      process.stdout.write(exports);
      break;
    }
    case "up": {
      const { up } = await import("./up.ts");
      const progress = new Progress((text) => process.stdout.write(text));
      await withLock(lab.directory, () => up(lab, progress));
      break;
    }
    case "down": {
      const { down } = await import("./down.ts");
      const progress = new Progress((text) => process.stdout.write(text));
      await withLock(lab.directory, () => down(lab, progress));
      break;
    }
  }
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
