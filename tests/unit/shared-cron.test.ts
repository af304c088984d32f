import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { knownCron, lastDue, onCalendar, parseCron } from "../../components/shared/cron.ts";

const times: [cron: string, calendar: string[]][] = [
  ["* * * * *", ["*-*-* *:*:00 UTC"]],
  ["*/15 * * * *", ["*-*-* *:0,15,30,45:00 UTC"]],
  ["5 4 * * *", ["*-*-* 4:5:00 UTC"]],
  ["0 9-17/4 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 9,13,17:0:00 UTC"]],
  ["30 3 * * sun", ["Sun *-*-* 3:30:00 UTC"]],
  ["30 3 * * 7", ["Sun *-*-* 3:30:00 UTC"]],
  ["30 3 * * fri-7", ["Sun,Fri,Sat *-*-* 3:30:00 UTC"]],
  ["0 0 1,15 jan,jul *", ["*-1,7-1,15 0:0:00 UTC"]],
  ["0 0 29 2 *", ["*-2-29 0:0:00 UTC"]],
  ["  0  0 1 * MON ", ["*-*-1 0:0:00 UTC", "Mon *-*-* 0:0:00 UTC"]],
  ["0 0 * * */2", ["Sun,Tue,Thu,Sat *-*-* 0:0:00 UTC"]],
];

describe("times of cron", () => {
  for (const [cron, calendar] of times) {
    it(`are the same to systemd: ${cron}`, () => {
      assert.deepEqual(onCalendar(knownCron(cron), "UTC"), calendar);
    });
  }

  it("are understood by systemd, in any zone", function () {
    if (spawnSync("systemd-analyze", ["--version"]).error) this.skip();
    const all = times.flatMap(([cron]) => onCalendar(knownCron(cron), "Europe/Berlin"));
    const { status, stderr } = spawnSync("systemd-analyze", ["calendar", ...all], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });

  it("are next for systemd when they were last for berth", function () {
    if (spawnSync("systemd-analyze", ["--version"]).error) this.skip();
    for (const [cron] of times) {
      for (const line of onCalendar(knownCron(cron), "UTC")) {
        const asked = ["calendar", "--base-time=2026-03-02 02:30:30 UTC", line];
        const { stdout } = spawnSync("systemd-analyze", asked, {
          encoding: "utf8",
          env: { ...process.env, TZ: "UTC" },
        });
        const next = /Next elapse: \w+ (\S+) (\S+) UTC/.exec(stdout);
        assert.ok(next, stdout);
        const time = Date.parse(`${next[1] ?? ""}T${next[2] ?? ""}Z`);
        assert.equal(lastDue(knownCron(cron), "UTC", time - 1, time), time, `${line}: ${stdout}`);
      }
    }
  });

  it("are refused with what to write instead", () => {
    const refused: [cron: string, words: RegExp][] = [
      ["", /^write five fields/],
      ["@weekly", /^write five fields/],
      ["* * * * * *", /^write five fields/],
      ["60 * * * *", /^write as its minute \* or numbers from 0 to 59.* instead of "60"$/],
      ["* 24 * * *", /^write as its hour .* instead of "24"$/],
      ["* * 0 * *", /^write as its day of month .* instead of "0"$/],
      ["* * * 13 *", /^write as its month .*1 to 12, or jan to dec.* instead of "13"$/],
      ["* * * * 8", /^write as its day of week .* instead of "8"$/],
      ["* * * * funday", /instead of "funday"$/],
      ["5/10 * * * *", /instead of "5\/10"$/],
      ["*/0 * * * *", /instead of "\*\/0"$/],
      ["9-5 * * * *", /instead of "9-5"$/],
      ["1,,2 * * * *", /instead of ""$/],
      ["*-5 * * * *", /instead of "\*-5"$/],
      ["-5 * * * *", /instead of "-5"$/],
      ["0 0 30 2 *", /^write a day of month that its months have$/],
      ["0 0 31 4,6 *", /^write a day of month that its months have$/],
    ];
    for (const [cron, words] of refused) {
      const problem = parseCron(cron);
      assert.ok(problem instanceof Error, cron);
      assert.match(problem.message, words);
    }
  });
});

describe("the last time that was due", () => {
  const last = (cron: string, zone: string, since: string, until: string) => {
    const time = lastDue(knownCron(cron), zone, Date.parse(since), Date.parse(until));
    return time === undefined ? undefined : new Date(time).toISOString();
  };

  it("is the latest, in its own time zone, in summer and in winter", () => {
    assert.equal(
      last("30 3 * * *", "Europe/Berlin", "2026-03-01T00:00:00Z", "2026-03-02T09:00:00Z"),
      "2026-03-02T02:30:00.000Z",
    );
    assert.equal(
      last("30 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-02T09:00:00Z"),
      "2026-07-02T01:30:00.000Z",
    );
    assert.equal(
      last("0 0 1 * mon", "UTC", "2026-03-01T12:00:00Z", "2026-03-05T00:00:00Z"),
      "2026-03-02T00:00:00.000Z",
    );
  });

  it("leaves out a time that the change of clocks leaves out", () => {
    assert.equal(last("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), undefined);
  });

  it("is after the time from which on it counts", () => {
    assert.equal(last("30 3 * * *", "UTC", "2026-03-02T03:30:00Z", "2026-03-02T09:00:00Z"), undefined);
  });
});
