import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { parse as parseYaml } from "yaml";
import { stackFileOf, systemNames, systemOf } from "../support/systems.ts";

/* The way from a compose file to a system, held against the system that it goes through and against what is said. */

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/systems.md"), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, text]) => text ?? "");

/** Whether a part says nothing that the whole does not say: lists may leave items out, mappings keys. */
function isWithin(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((item) => whole.some((other) => isWithin(item, other)));
  }
  if (typeof part !== "object" || part === null) return part === whole;
  if (typeof whole !== "object" || whole === null) return false;
  return Object.entries(part).every(([key, value]) => isWithin(value, (whole as Record<string, unknown>)[key]));
}

/** What a block of TypeScript would export. */
function exported(block: string): unknown {
  const script = /^(secrets|edge): /.test(block)
    ? `({ ${block} })`
    : block.replaceAll(" as const", "").replace("export default", "");
  return runInNewContext(script, { defineSystem: (system: unknown) => system });
}

describe("docs/systems.md", () => {
  it("shows cap-demo as it is", async () => {
    const system = await systemOf("cap-demo");
    const shown = blocks("ts").map(exported);
    assert.deepEqual(
      shown.map((part) => Object.keys(part as object)),
      [["services"], ["secrets"], ["edge"]],
    );
    // Objects of another context are not the same to an assertion, but to JSON.
    for (const part of shown) assert.ok(isWithin(JSON.parse(JSON.stringify(part)), system), JSON.stringify(part));
  });

  it("shows cap-demo's stack file as it is", () => {
    const [file, ...others] = blocks("yaml").filter((block) => block.startsWith("config:"));
    assert.deepEqual(others, []);
    assert.ok(
      isWithin((parseYaml(file ?? "") as { config: unknown }).config, stackFileOf("cap-demo", "staging").config),
    );
  });

  it("quotes refusals as they are said", () => {
    const said = readdirSync(join(root, "tests/unit"))
      .filter((name) => /^config-.*\.test\.ts$/.test(name))
      .map((name) => readFileSync(join(root, "tests/unit", name), "utf8"))
      .join("");
    const [, table = ""] = /^## What is refused\n([^]*?)^## /m.exec(page) ?? [];
    const quoted = [...table.matchAll(/^\| .* \| `([^`]+)`/gm)].map(
      ([, text]) => (text ?? "").split(/, got|;/)[0] ?? "",
    );
    assert.ok(quoted.length >= 9, `${quoted.length} refusals`);
    for (const words of quoted) assert.ok(said.includes(words), words);
  });

  it("names every system, and what of each is worth a look", () => {
    const linked = [...page.matchAll(/^\| \[([a-z-]+)\]\(\.\.\/systems\/\1\/README\.md\)/gm)].map(([, name]) => name);
    assert.deepEqual(linked.toSorted(), systemNames);
  });
});
