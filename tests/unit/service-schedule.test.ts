import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";
import {
  configPrefix,
  renderForgetSchedule,
  renderPlan,
  renderProgram,
  renderSetUp,
  undoSchedule,
  type ScheduleScript,
} from "../../components/service/schedule.render.ts";
import { knownCron } from "../../components/shared/cron.ts";
import { golden } from "../support/golden.ts";
import { record } from "../support/mocks.ts";
import { checkScript } from "../support/shell.ts";

const schedule: ScheduleScript = {
  name: "shop-upkeep",
  image: "registry.test:5000/shop-api:1.0.0@sha256:0000",
  command: ["sh", "-c", "echo it's\nexit 0"],
  env: { LOG_LEVEL: "INFO" },
  secrets: [{ name: "DATABASE_URL", secretName: "database-url-1a2b3c" }],
  networks: ["shop-data"],
  resources: { memory: "256 MB", cpus: 0.5 },
  user: "1000:1000",
  readOnly: true,
  timeout: "90 minutes",
  cron: "30 3 1,15 * mon",
  timeZone: "Europe/Berlin",
};

describe("the scripts of a schedule", () => {
  const scripts = {
    "schedule-set-up.sh": renderSetUp(schedule),
    "schedule-plan.sh": renderPlan(schedule),
    "schedule-forget.sh": `${renderForgetSchedule(schedule.name)}\n`,
    "schedule-undo.sh": `${undoSchedule(schedule.name)}\n`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    it(`are, as ${name}, this text`, () => {
      golden(`service/${name}`, script);
    });
  }

  it("are flawless shell, with every kind of times", () => {
    for (const cron of ["* * * * *", "*/5 * * * *", "0 3 * * sun", "0 3 1 * *", schedule.cron]) {
      checkScript(renderProgram({ ...schedule, cron }));
    }
    // shellcheck knows a script by its first line.
    checkScript(`#!/bin/sh\nplace() { cat >"$1"; }\nrefuse() { exit 1; }\n${renderSetUp(schedule)}main\n`);
    checkScript(
      `#!/bin/sh\n${renderPlan(schedule)}${renderForgetSchedule(schedule.name)}\n${undoSchedule(schedule.name)}\n`,
    );
  });

  it("ask for the zone's files only where the times are not those of UTC", () => {
    assert.match(renderSetUp(schedule), /\/usr\/share\/zoneinfo\/Europe\/Berlin/);
    assert.doesNotMatch(renderSetUp({ ...schedule, timeZone: "UTC" }), /zoneinfo/);
  });

  it("run when the times of cron say so, and else not", () => {
    /** Whether a manager whose clock shows this would go on to the swarm. */
    const due = (cron: string, timeZone: string, time: string): boolean => {
      const program = renderProgram({ ...schedule, cron, timeZone });
      const moment = `moment=${Date.parse(time) / 1000}`;
      const asked = program
        .replace("moment=$(date +%s)", moment)
        .replace("if ! due; then", "if due; then exit 0; else exit 3;");
      const { status } = spawnSync("sh", ["-s", "tick"], { input: asked, encoding: "utf8" });
      assert.ok(status === 0 || status === 3, `ended with ${status ?? "a signal"}`);
      return status === 0;
    };
    const table: [cron: string, zone: string, time: string, due: boolean][] = [
      ["* * * * *", "UTC", "2026-03-02T02:31:59Z", true],
      ["30 2 * * *", "UTC", "2026-03-02T02:30:59Z", true],
      ["30 2 * * *", "UTC", "2026-03-02T02:31:00Z", false],
      ["30 3 * * *", "Europe/Berlin", "2026-03-02T02:30:00Z", true],
      ["30 3 * * *", "Europe/Berlin", "2026-07-02T01:30:00Z", true],
      ["30 2 1 * *", "UTC", "2026-03-02T02:30:00Z", false],
      ["30 2 1 * mon", "UTC", "2026-03-02T02:30:00Z", true],
      ["30 2 2 * sun", "UTC", "2026-03-02T02:30:00Z", true],
      ["30 2 1 * sun", "UTC", "2026-03-02T02:30:00Z", false],
      ["30 2 * apr *", "UTC", "2026-03-02T02:30:00Z", false],
      ["30 2 * * 7", "UTC", "2026-03-01T02:30:00Z", true],
    ];
    for (const [cron, zone, time, expected] of table) assert.equal(due(cron, zone, time), expected, `${cron} ${time}`);
    assert.ok(knownCron("30 2 * * 7").weekday?.includes(0));
  });
});

describe("the names of what a schedule keeps", () => {
  it("fit into Docker's 64 characters with the time of a run, and tell long schedules apart", () => {
    const names = ["a", "b"].map((end) => configPrefix(`${"s".repeat(30)}-${"j".repeat(29)}${end}`));
    assert.equal(new Set(names).size, 2);
    for (const name of names) assert.ok(`${name}-20260302T023059-over`.length <= 64);
    assert.equal(configPrefix("shop-upkeep"), "shop-upkeep");
  });
});

describe("Schedule", () => {
  const build = () =>
    record(async () => {
      const { command } = await import("../../components/shared/providers.ts");
      const { Schedule } = await import("../../components/service/schedule.ts");
      const { cron, timeZone, ...script } = schedule;
      const local = (name: string, inputs: object, opts: pulumi.CustomResourceOptions) =>
        new command.local.Command(name, { create: "sh -s", ...inputs }, opts);
      return new Schedule("upkeep", {
        cron,
        timeZone,
        script: {
          ...script,
          networks: [pulumi.output("shop-data")],
          secrets: [{ name: "DATABASE_URL", secretName: pulumi.output("database-url-1a2b3c") }],
        },
        managers: {
          runOnManager: (name, args, opts) => local(name, { stdin: args.script, delete: args.delete }, opts),
          onManagers: (name, { body, undo }, opts) => [local(`${name}-vm-1`, { stdin: body, delete: undo }, opts)],
        },
      });
    });

  it("is written down in the swarm first, then set up on the managers; on the way out the other way round", async () => {
    const { result, ...plan } = await build().then((recording) => ({
      result: recording.result,
      written: recording.get("upkeep-plan"),
      timer: recording.get("upkeep-timer-vm-1"),
    }));
    assert.equal(result.service, "shop-upkeep");
    assert.equal(plan.written.inputs["stdin"], renderPlan(schedule));
    assert.equal(plan.written.inputs["delete"], renderForgetSchedule("shop-upkeep"));
    assert.equal(plan.timer.inputs["stdin"], renderSetUp(schedule));
    assert.equal(plan.timer.inputs["delete"], undoSchedule("shop-upkeep"));
    assert.deepEqual([plan.written.deleteBeforeReplace, plan.timer.dependsOn], [true, ["upkeep-plan"]]);
  });

  it("is written down anew when anything of it changes, but for the names that Docker gave its secrets", () => {
    const renamed = schedule.secrets.map((secret) => ({ ...secret, secretName: `${secret.secretName}-2` }));
    assert.ok(renamed.length > 0);
    assert.equal(renderPlan({ ...schedule, secrets: renamed }), renderPlan(schedule));
    assert.notEqual(renderPlan({ ...schedule, timeout: "9 minutes" }), renderPlan(schedule));
  });
});
