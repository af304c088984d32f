import assert from "node:assert/strict";
import { median, Measures } from "../../support/bench/measure.ts";
import { renderResults, withResults } from "../../support/bench/table.render.ts";

describe("the table of measurements", () => {
  const circumstances = {
    at: "2026-01-31T10:00:00Z",
    cores: 2,
    kernel: "6.1",
    node: "24.1.0",
    engine: ["engine: pulumi 3.1, official"],
    docker: "27.0",
    load: [0.1, 1.2],
    rate: 300,
    runs: 3,
  } as const;

  it("shows medians, ranges, goals and ratios to the baseline of the same run", () => {
    const measures = new Measures();
    for (const value of [4, 9, 5]) measures.add({ scenario: "by hand", quantity: "done", unit: "s" }, value);
    for (const value of [10, 8, 7])
      measures.add({ scenario: "up", quantity: "done", unit: "s", goal: 6, baseline: "by hand: done" }, value);
    measures.add({ scenario: "up", quantity: "failed", unit: "", goal: 0 }, 0);
    assert.deepEqual(renderResults(measures.all, circumstances).split("\n").slice(-5), [
      "| Scenario | Measured | Median | Range          | Goal               | Ratio |",
      "| -------- | -------- | ------ | -------------- | ------------------ | ----- |",
      "| by hand  | done     | 5.0 s  | 4.0 s – 9.0 s  |                    |       |",
      "| up       | done     | 8.0 s  | 7.0 s – 10.0 s | ≤ 6.0 s **missed** | 1.60  |",
      "| up       | failed   | 0      |                | ≤ 0                |       |",
    ]);
  });

  it("replaces what was measured before and nothing else", () => {
    const document = "# a\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nb\n";
    assert.equal(withResults(document, "new"), "# a\n<!-- measured: begin -->\n\nnew\n\n<!-- measured: end -->\nb\n");
    assert.throws(() => withResults("# a", "new"), /lacks/);
  });

  it("takes the median of even and odd numbers of values", () => {
    assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3]), median([5])], [2, 2.5, 5]);
  });
});
