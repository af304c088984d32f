import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderConfigurationDocs, renderStackJsonSchema } from "./docs.render.ts";

const folder = join(import.meta.dirname, "../../docs");
writeFileSync(join(folder, "configuration.md"), renderConfigurationDocs());
writeFileSync(join(folder, "stack.schema.json"), renderStackJsonSchema());
