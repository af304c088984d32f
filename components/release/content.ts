import { createHash } from "node:crypto";
import type { Config } from "../config/load.ts";
import type { ReleaseContent } from "./record.ts";

/** What makes one release differ from another: pins, settings of the stack file, the system's definition. */
export function contentOf(config: Pick<Config, "images" | "settings" | "definition">): ReleaseContent {
  return {
    images: Object.fromEntries(Object.entries(config.images).map(([name, { ref }]) => [name, ref])),
    settings: config.settings,
    system: createHash("sha256").update(JSON.stringify(config.definition)).digest("hex"),
  };
}
