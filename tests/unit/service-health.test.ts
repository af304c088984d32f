import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { renderHealthCheck, untilHealthyMs, type Check } from "../../components/service/health.render.ts";

const check: Check = {
  test: ["CMD-SHELL", "wget -q -O /dev/null 'http://127.0.0.1:8000/health'"],
  startInterval: "1 second",
  interval: "10 seconds",
  timeout: "2 seconds",
  retries: 3,
  startPeriod: "5 seconds",
};

describe("the health check of a service", () => {
  it("is asked at the pace of a start, and pauses after a good answer once it has settled", () => {
    assert.deepEqual(renderHealthCheck(check), {
      tests: [
        "CMD-SHELL",
        "timeout 2 sh -c 'wget -q -O /dev/null '\\''http://127.0.0.1:8000/health'\\''' || exit 1; " +
          "read -r up idle </proc/uptime; set -- $(cat /proc/1/stat); " +
          "[ $((${up%.*} - ${22:-0} / 100)) -lt 14 ] || sleep 9",
      ],
      interval: "1s",
      timeout: "13s",
      retries: 3,
      startPeriod: "5s",
    });
  });

  it("is left as it is where no shell need be in the image, or where there is nothing to pause for", () => {
    for (const plain of [
      { ...check, test: ["CMD", "app", "ping"] },
      { ...check, interval: "1 second" },
      { ...check, startInterval: "1 minute" },
    ] as const) {
      const { tests, timeout } = renderHealthCheck(plain);
      assert.deepEqual([tests, timeout], [plain.test, "2s"]);
    }
  });

  it("has settled when it must have said that it works", () => {
    assert.equal(untilHealthyMs(check), 5_000 + 3 * (1_000 + 2_000));
  });

  it("tells a bad answer at once, ends one that does not come, and keeps a good one back", () => {
    const quick = { ...check, timeout: "1 second", interval: "2 seconds" } as const;
    const run = (line: string) => {
      const { tests } = renderHealthCheck({ ...quick, test: ["CMD-SHELL", line] });
      const started = performance.now();
      const { status, stderr } = spawnSync("sh", ["-c", tests[1] ?? ""], { encoding: "utf8" });
      return { status, stderr, pauses: performance.now() - started > 900 };
    };
    // The first process of this machine has settled.
    assert.deepEqual(run("true"), { status: 0, stderr: "", pauses: true });
    assert.deepEqual(run("false"), { status: 1, stderr: "", pauses: false });
    assert.deepEqual(run("sleep 60"), { status: 1, stderr: "", pauses: true });
  });
});
