import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderConfigurationDocs, renderStackJsonSchema } from "./docs.render.ts";
import { withPicture } from "./picture.render.ts";
import { systemSchema } from "./system.ts";

const root = join(import.meta.dirname, "../..");
writeFileSync(join(root, "docs/configuration.md"), renderConfigurationDocs());
writeFileSync(join(root, "docs/stack.schema.json"), renderStackJsonSchema());

for (const name of readdirSync(join(root, "systems"))) {
  const [file, readme] = ["system.ts", "README.md"].map((part) => join(root, "systems", name, part)) as [
    string,
    string,
  ];
  if (!existsSync(file) || !existsSync(readme)) continue;
  const { default: document } = (await import(file)) as { default: unknown };
  writeFileSync(readme, withPicture(readFileSync(readme, "utf8"), systemSchema.parse(document)));
}
