import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { poolerName } from "../components/config/store-rules.ts";
import type { SystemInput } from "../components/config/system.ts";
import { OperatorError } from "./verb.ts";

/** What `systems/<name>/system.ts` exports. */
export async function systemDocument(root: string, system: string): Promise<SystemInput> {
  const path = join(root, "systems", system, "system.ts");
  if (!/^[a-z0-9-]+$/.test(system) || !existsSync(path)) {
    throw new OperatorError(
      `berth:system: is not a folder under systems/, got ${JSON.stringify(system)}; correct the stack file`,
    );
  }
  return ((await import(pathToFileURL(path).href)) as { default: SystemInput }).default;
}

/** Image keys of a system by the service or store that runs them; the edge under the name `edge`. */
export async function imageKeys(root: string, system: string): Promise<Record<string, string>> {
  const document = await systemDocument(root, system);
  const services = Object.entries(document.services).map(([name, { image }]) => [name, image]);
  const stores = Object.entries(document.data ?? {}).flatMap(([name, store]) => [
    ...(store.kind === "managed" ? [] : [[name, store.image]]),
    ...(store.kind === "postgres" && store.pooler ? [[poolerName(name), store.pooler.image ?? "pgbouncer"]] : []),
  ]);
  return {
    ...(Object.fromEntries([...services, ...stores]) as Record<string, string>),
    edge: document.edge.image ?? "edge",
  };
}
