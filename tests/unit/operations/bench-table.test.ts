import assert from "node:assert/strict";
import { median, Measures } from "../../support/bench/measure.ts";
import { renderResults, withResults } from "../../support/bench/table.render.ts";

describe("the tables of measurements", () => {
  const circumstances = {
    at: "2026-01-31T10:00:00Z",
    cores: 2,
    kernel: "6.1",
    node: "24.1.0",
    engine: ["engine: pulumi 3.1, official", "plugins: official"],
    docker: "27.0",
    load: [0.1, 1.2],
    rate: 300,
    runs: 3,
  } as const;

  it("show medians, ranges, goals, ratios to the baseline of the same run, and how it was measured", () => {
    const measures = new Measures();
    for (const value of [4, 9, 5]) measures.add({ scenario: "by hand", quantity: "done", unit: "s" }, value);
    for (const value of [10, 8, 7])
      measures.add({ scenario: "up", quantity: "done", unit: "s", goal: 6, baseline: "by hand: done" }, value);
    measures.add({ scenario: "up", quantity: "failed", unit: "", goal: 0 }, 0);
    measures.add({ scenario: "up", quantity: "dark", unit: "ms" }, 51.4);
    assert.deepEqual(renderResults(measures.all, circumstances).split("\n"), [
      "| Scenario | Measured | Median | Range          | Goal               | Ratio |",
      "| -------- | -------- | ------ | -------------- | ------------------ | ----- |",
      "| by hand  | done     | 5.0 s  | 4.0 s – 9.0 s  |                    |       |",
      "| up       | done     | 8.0 s  | 7.0 s – 10.0 s | ≤ 6.0 s **missed** | 1.60  |",
      "| up       | failed   | 0      |                | ≤ 0                |       |",
      "| up       | dark     | 51 ms  |                |                    |       |",
      "",
      "2026-01-31, 3 runs, 300 requests/s; load average before 0.1, after 1.2.",
      "2 cores, Linux 6.1, Node 24.1.0, Docker 27.0 on the lab host; engine: pulumi 3.1, official; plugins: official.",
    ]);
  });

  it("name no rate where there was no load", () => {
    const measures = new Measures();
    measures.add({ scenario: "start", quantity: "done", unit: "s" }, 1);
    const text = renderResults(measures.all, { ...circumstances, rate: 0, runs: 1 });
    assert.match(text, /\n2026-01-31, 1 run; load average before 0\.1, after 1\.2\.\n/);
  });

  it("show no ratio to a baseline that lost nothing", () => {
    const measures = new Measures();
    measures.add({ scenario: "by hand", quantity: "cut", unit: "" }, 0);
    measures.add({ scenario: "up", quantity: "cut", unit: "", baseline: "by hand: cut" }, 0);
    assert.doesNotMatch(renderResults(measures.all, circumstances), /NaN|Infinity/);
  });

  describe("in their document", () => {
    const names = ["start", "upgrade", "rollback"];
    const around = (...measured: string[]) =>
      `# a\n${["<!-- measured: begin -->", ...measured, "<!-- measured: end -->"].join("\n\n")}\nb\n`;

    it("are replaced each by itself, and keep the order of the scenarios", () => {
      const document = around("### start\n\nold start", "### rollback\n\nold rollback");
      assert.equal(
        withResults(document, "rollback", "new rollback", names),
        around("### start\n\nold start", "### rollback\n\nnew rollback"),
      );
      assert.equal(
        withResults(document, "upgrade", "| a |\n| - |\n\nnew", names),
        around("### start\n\nold start", "### upgrade\n\n| a |\n| - |\n\nnew", "### rollback\n\nold rollback"),
      );
    });

    it("are kept at the end when their scenario is no more", () => {
      const document = around("### gone\n\nold", "### start\n\nold");
      assert.equal(withResults(document, "start", "new", names), around("### start\n\nnew", "### gone\n\nold"));
    });

    it("take the place of what says that nothing was measured", () => {
      assert.equal(withResults(around("Not yet."), "start", "new", names), around("### start\n\nnew"));
      assert.throws(() => withResults("# a", "start", "new", names), /lacks/);
    });
  });

  it("take the median of even and odd numbers of values", () => {
    assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3]), median([5])], [2, 2.5, 5]);
  });
});
