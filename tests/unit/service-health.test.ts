import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  it("is asked at the pace of a start, and pauses after a good answer that is not the first", () => {
    assert.deepEqual(renderHealthCheck(check), {
      tests: [
        "CMD-SHELL",
        "if ! timeout 2 sh -c 'wget -q -O /dev/null '\\''http://127.0.0.1:8000/health'\\'''; " +
          "then [ ! -e /dev/shm/berth-healthy ] || sleep 2; exit 1; fi; " +
          "if [ -e /dev/shm/berth-healthy ]; then sleep 9; else touch /dev/shm/berth-healthy; exit 0; fi",
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

  it("lets a container that works take as long as its checks allow", () => {
    assert.equal(untilHealthyMs(check), 5_000 + 3 * (1_000 + 2_000));
  });

  it("tells the first good answer and bad ones before it at once, and keeps back what comes later", () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-health-"));
    const quick = { ...check, timeout: "1 second", interval: "2 seconds" } as const;
    const run = (line: string) => {
      const { tests } = renderHealthCheck({ ...quick, test: ["CMD-SHELL", line] });
      const script = (tests[1] ?? "").replaceAll("/dev/shm", directory);
      const started = performance.now();
      const { status, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
      return { status, stderr, seconds: Math.floor((performance.now() - started) / 950) };
    };
    try {
      assert.deepEqual(run("false"), { status: 1, stderr: "", seconds: 0 });
      assert.deepEqual(run("true"), { status: 0, stderr: "", seconds: 0 });
      assert.deepEqual(run("true"), { status: 0, stderr: "", seconds: 1 });
      assert.deepEqual(run("false"), { status: 1, stderr: "", seconds: 1 });
      assert.deepEqual(run("sleep 60"), { status: 1, stderr: "", seconds: 2 });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
