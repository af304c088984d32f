import { createHash } from "node:crypto";
import type { Config } from "../config/load.ts";
import type { ReleaseContent } from "./record.ts";

/** What makes one release differ from another: pins, settings of the stack file, the system as it runs here. */
export function releaseContent(config: Pick<Config, "images" | "settings" | "system">): ReleaseContent {
  return {
    images: Object.fromEntries(Object.entries(config.images).map(([name, { ref }]) => [name, ref])),
    settings: config.settings,
    system: createHash("sha256").update(JSON.stringify(config.system)).digest("hex"),
  };
}
