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

  for (const name of systemNames) {
    it(`has everything of ${name} that runs, is reached or waits`, async () => {
      const system = systemSchema.parse(await systemOf(name));
      const { services, data, edge } = system;
      const lines = renderPicture(system).split("\n");
      const id = (thing: string): string => `n_${thing.replaceAll("-", "_")}`;
      const count = (start: string): number => lines.filter((line) => line.trimStart().startsWith(start)).length;
      for (const thing of [...Object.keys(services), ...Object.keys(data)]) {
        assert.equal(count(`${id(thing)}[`) + count(`${id(thing)}{{`), 1, thing);
      }
      for (const [waiting, { dependsOn }] of Object.entries(services)) {
        for (const other of dependsOn) assert.ok(lines.includes(`  ${id(waiting)} --> ${id(other)}`), waiting);
      }
      for (const [index, { host, routes }] of edge.sites.entries()) {
        assert.ok(lines.includes(`    site${index}["${host}"]`), host);
        for (const { path, service } of routes) {
          const led = lines.filter((line) => line.startsWith(`  site${index} `) && line.endsWith(` ${id(service)}`));
          assert.ok(
            led.some((line) => (line.split('"')[1] ?? "").split(" ").includes(path)),
            `${host}${path}`,
          );
        }
      }
    });
  }

  it("shows who may come to what", async () => {
    const system = systemSchema.parse(await systemOf("cap-demo"));
    const lines = renderPicture(system).split("\n");
    assert.ok(lines.includes('  site0 -. "/metrics /circuit-breaker" .-> n_app_cp'));
    assert.ok(lines.includes("  n_app_ap --> n_app_cp"));
  });

  it("leaves a README alone that has no place for it", async () => {
    const system = systemSchema.parse(await systemOf("cap-demo"));
    assert.equal(withPicture("# words\n", system), "# words\n");
  });
});
