import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markerName, renderForgetJob, renderJob, type JobScript } from "../../components/service/job.render.ts";
import { golden } from "../support/golden.ts";

const job: JobScript = {
  name: "palmistry-migrate",
  image: "registry.test:5000/palmistry-api:1.0.0@sha256:0000",
  command: ["berth-app", "migrate", "it's"],
  env: { LOG_LEVEL: "INFO" },
  secrets: [{ name: "DATABASE_URL", secretName: "database-url-1a2b3c" }],
  networks: ["palmistry-data"],
  resources: { memory: "256 MB", cpus: 0.5 },
  user: "1000:1000",
  readOnly: true,
  timeout: "2 seconds",
};

/** Runs the script with a `docker` that answers as told and writes down how it was called. */
function run(answers: Record<string, string>): { code: number | null; out: string; err: string; calls: string } {
  const directory = mkdtempSync(join(tmpdir(), "berth-job-"));
  try {
    const cases = Object.entries(answers).map(([call, answer]) => `"${call}"*) ${answer} ;;`);
    writeFileSync(
      join(directory, "docker"),
      `#!/bin/sh\necho "$*" >>${directory}/calls\ncase "$*" in\n${cases.join("\n")}\nesac\n`,
    );
    chmodSync(join(directory, "docker"), 0o755);
    const { status, stdout, stderr } = spawnSync("sh", ["-s"], {
      input: renderJob(job),
      encoding: "utf8",
      env: { PATH: `${directory}:/usr/bin:/bin` },
    });
    const calls = execFileSync("cat", [join(directory, "calls")], { encoding: "utf8" });
    return { code: status, out: stdout, err: stderr, calls };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const notThere = { "config inspect": "exit 1", "service inspect": "exit 1" };

describe("the script of a job", () => {
  it("is this text", () => {
    golden("service/job.sh", renderJob(job));
  });

  it("runs the job, remembers the image and removes the service, also one that an earlier run has left", () => {
    const ran = run({
      "config inspect": "exit 1",
      "service inspect": "exit 0",
      "service ps": "echo 'Complete 1 second ago: '",
    });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.out, /^ran for registry\.test/);
    assert.match(ran.calls, /config create --label berth\.job=palmistry-migrate palmistry-migrate-[0-9a-f]{16} -/);
    assert.match(ran.calls, /^service rm palmistry-migrate$.*^service create .*^service rm palmistry-migrate\n$/ms);
  });

  it("does not run again for an image it ran for", () => {
    const ran = run({ "config inspect": "exit 0" });
    assert.equal(ran.code, 0);
    assert.match(ran.out, /^ran before for registry\.test/);
    assert.doesNotMatch(ran.calls, /service create/);
  });

  it("fails with the last log lines when the job fails, and does not count as done", () => {
    const ran = run({
      ...notThere,
      "service ps": "echo 'Failed 1 second ago: task: non-zero exit (1)'",
      "service logs": "echo 'relation users exists'",
    });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /palmistry-migrate: job failed: Failed 1 second ago: task: non-zero exit \(1\)/);
    assert.match(ran.err, / {4}relation users exists/);
    assert.match(ran.err, /pin a version whose job works and run pulumi up$/m);
    assert.doesNotMatch(ran.calls, /config create|service rm.*service create/s);
    assert.match(ran.calls, /^service rm palmistry-migrate\n$/m);
  });

  it("fails when the job is not done within its timeout", () => {
    const ran = run({ ...notThere, "service ps": "echo 'Running 3 seconds ago: '" });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /job not done within its timeout of 2 seconds/);
  }).timeout(10_000);
});

describe("the memory of a job", () => {
  it("tells images and commands apart", () => {
    const names = [job, { ...job, image: "other" }, { ...job, command: ["other"] }].map(markerName);
    assert.equal(new Set(names).size, 3);
  });

  it("fits into a name of Docker's, however long the job's own is", () => {
    const name = "s".repeat(30) + "-" + "j".repeat(30);
    assert.equal(markerName({ ...job, name }).length, 64);
    assert.ok(markerName(job).startsWith("palmistry-migrate-"));
  });

  it("is forgotten with the system", () => {
    assert.equal(
      renderForgetJob("palmistry-migrate"),
      "docker config ls --quiet --filter 'label=berth.job=palmistry-migrate' | xargs -r docker config rm",
    );
  });
});
