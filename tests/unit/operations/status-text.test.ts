import assert from "node:assert/strict";
import { render, type Status } from "../../../operations/verbs/status.ts";

const quiet: Status = {
  stack: "production",
  release: 7,
  asPinned: true,
  hosts: [],
  services: [],
  schedules: [],
  hardening: [],
  certificates: [],
  problems: [],
};

/** Lines that people read, blanks between columns made one. */
function shown(status: Partial<Status>): string[] {
  const lines: string[] = [];
  render({ print: (text) => lines.push(...text.split("\n")) }, { ...quiet, ...status });
  return lines.map((line) => line.replaceAll(/ {2,}/g, " | ").trim());
}

describe("what status shows", () => {
  it("is a line for each schedule: its times, when its last run began, and how that ended", () => {
    const failed = "failed: Failed 2 hours ago: task: non-zero exit (1)";
    const lines = shown({
      schedules: [
        { name: "upkeep", times: "30 3 * * sun UTC", lastRun: "2026-03-01T03:30Z", result: "done", problem: null },
        {
          name: "report",
          times: "0 6 * * * Europe/Berlin",
          lastRun: "2026-03-02T05:00Z",
          result: failed,
          problem: null,
        },
        { name: "new", times: "0 6 1 1 * UTC", lastRun: null, result: null, problem: null },
      ],
    });
    assert.deepEqual(lines.slice(lines.findIndex((line) => line.startsWith("SCHEDULE"))).slice(0, 4), [
      "SCHEDULE | TIMES | LAST RUN | RESULT",
      "upkeep | 30 3 * * sun UTC | 2026-03-01T03:30Z | done",
      "report | 0 6 * * * Europe/Berlin | 2026-03-02T05:00Z | failed",
      "new | 0 6 1 1 * UTC | – | –",
    ]);
  });

  it("has no table of what there is not", () => {
    assert.ok(!shown({}).some((line) => /^(SCHEDULE|SERVICE|SITE) /.test(line)));
  });

  it("ends with all that is wrong, or with that nothing is", () => {
    assert.equal(shown({}).at(-1), "everything is as pinned");
    const problems = [
      "service api: is not on the swarm",
      "schedule upkeep: did not run when it was due, 2026-03-08T03:30Z",
    ];
    assert.deepEqual(
      shown({ problems, asPinned: false }).slice(-2),
      problems.map((problem) => `✖ ${problem}`),
    );
  });
});
