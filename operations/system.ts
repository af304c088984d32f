import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { SystemInput } from "../components/config/system.ts";
import { OperatorError } from "./verb.ts";

/** Image keys of a system by the service or store that runs them; the edge under the name `edge`. */
export async function imageKeys(root: string, system: string): Promise<Record<string, string>> {
  const path = join(root, "systems", system, "system.ts");
  if (!/^[a-z0-9-]+$/.test(system) || !existsSync(path)) {
    throw new OperatorError(
      `berth:system: is not a folder under systems/, got ${JSON.stringify(system)}; correct the stack file`,
    );
  }
  const { default: document } = (await import(pathToFileURL(path).href)) as { default: SystemInput };
  const workloads = Object.entries({ ...document.services, ...document.data });
  return {
    ...Object.fromEntries(workloads.map(([name, { image }]) => [name, image])),
    edge: document.edge.image ?? "edge",
  };
}
