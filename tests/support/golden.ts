import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const directory = join(import.meta.dirname, "../golden");

/**
 * Compares text with the reviewed file `tests/golden/<name>`. `npm run golden` rewrites the files; read the diff
 * before it is committed.
 */
export function golden(name: string, text: string): void {
  const path = join(directory, name);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"), `differs from tests/golden/${name}; npm run golden accepts it`);
}
