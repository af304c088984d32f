import assert from "node:assert/strict";
import { Progress } from "../../lab/progress.ts";

describe("progress of the lab", () => {
  it("tells steps at once and how long each phase took", async () => {
    const lines: string[] = [];
    const progress = new Progress((text) => lines.push(text));
    const result = await progress.phase("images", (report) => {
      report("building base");
      return Promise.resolve(7);
    });
    assert.equal(result, 7);
    assert.equal(lines[0], "  images: building base\n");
    assert.match(lines[1] ?? "", /^✓ images \(0\.0 s\)\n$/);
    assert.deepEqual(
      progress.phases.map(({ title }) => title),
      ["images"],
    );
  });

  it("does not call a phase done that failed", async () => {
    const lines: string[] = [];
    const progress = new Progress((text) => lines.push(text));
    await assert.rejects(
      progress.phase("push", () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.deepEqual([lines, progress.phases], [[], []]);
  });
});
