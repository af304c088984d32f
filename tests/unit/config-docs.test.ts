import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderConfigurationDocs, renderStackJsonSchema } from "../../components/config/docs.render.ts";

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
