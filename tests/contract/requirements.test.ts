import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** How many requirements each system has; they are numbered from 1. */
const counts = { PAL: 72, CHAT: 73, CAP: 54, PA: 88, FIT: 83 };
const ids = Object.entries(counts).flatMap(([system, count]) =>
  Array.from({ length: count }, (_, index) => `${system}-${String(index + 1).padStart(2, "0")}`),
);

const rows = readFileSync(join(root, "docs/requirements.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, id, text, state] = /^\| ([A-Z]+-\d+) +\| (.+?) +\| (.+?) +\|$/.exec(line) ?? [];
    return id === undefined ? [] : [{ id, text, state: state ?? "" }];
  });

const paths = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe("docs/requirements.md", () => {
  it("lists every requirement once, in order", () => {
    assert.equal(ids.length, 370);
    assert.deepEqual(
      rows.map(({ id }) => id),
      ids,
    );
  });

  it("says of each whether it is met, met in part, left to the application or still to come", () => {
    const form = /^(met — [^—]+ — [^—]+|partly — [^—]+ — [^—]+ — .+|app contract — .+|not yet — [a-z]+)$/;
    assert.deepEqual(
      rows.filter(({ state }) => !form.test(state)),
      [],
    );
  });

  it("names components and tests that exist for what is met, in part or whole", () => {
    for (const { id, state } of rows.filter((row) => /^(met|partly) /.test(row.state))) {
      const [, components = "", tests = ""] = state.split(" — ");
      assert.ok(paths(components).length > 0, id);
      assert.ok(paths(tests).length > 0, id);
      assert.deepEqual(
        paths(components).filter((path) => !existsSync(join(root, path))),
        [],
        id,
      );
      assert.deepEqual(
        paths(tests).filter((path) => !/^tests\/.+\.test\.ts$/.test(path)),
        [],
        id,
      );
      assert.deepEqual(
        paths(tests).filter((path) => !existsSync(join(root, path))),
        [],
        id,
      );
    }
  });
});
