import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderConfigurationDocs, renderStackJsonSchema } from "../../components/config/docs.render.ts";
import { renderPicture, withPicture } from "../../components/config/picture.render.ts";
import { systemSchema } from "../../components/config/system.ts";
import { systemNames, systemOf } from "../support/systems.ts";

const root = join(import.meta.dirname, "../..");
const docs = join(import.meta.dirname, "../../docs");
const committed = (file: string): string => readFileSync(join(docs, file), "utf8");

describe("the reference of the configuration", () => {
  it("is what the schemas say; `npm run docs` writes it", () => {
    assert.equal(committed("configuration.md"), renderConfigurationDocs());
    assert.equal(committed("stack.schema.json"), renderStackJsonSchema());
  });

  it("has a meaning for every key", () => {
    const rows = renderConfigurationDocs()
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    assert.ok(rows.length > 80, `${rows.length} rows`);
    assert.deepEqual(
      rows.filter((row) => / \|\s*\|$/.test(row)),
      [],
    );
  });
});

describe("the picture of a system", () => {
  for (const name of systemNames) {
    it(`shows ${name} as it is; \`npm run docs\` draws it`, async () => {
      const system = systemSchema.parse(await systemOf(name));
      const readme = readFileSync(join(root, "systems", name, "README.md"), "utf8");
      assert.ok(readme.includes(renderPicture(system)), `systems/${name}/README.md has no picture, or an old one`);
      assert.equal(withPicture(readme, system), readme);
    });
  }

  it("has everything that runs, and shows who may come to what", async () => {
    const system = systemSchema.parse(await systemOf("cap-demo"));
    const lines = renderPicture(system).split("\n");
    for (const name of [...Object.keys(system.services), ...Object.keys(system.data)]) {
      assert.equal(lines.filter((line) => line.trimStart().startsWith(`n_${name.replace("-", "_")}[`)).length, 1, name);
    }
    assert.ok(lines.includes('  site0 -. "/metrics /circuit-breaker" .-> n_app_cp'));
    assert.ok(lines.includes("  n_app_ap --> n_app_cp"));
  });

  it("leaves a README alone that has no place for it", async () => {
    const system = systemSchema.parse(await systemOf("cap-demo"));
    assert.equal(withPicture("# words\n", system), "# words\n");
  });
});
