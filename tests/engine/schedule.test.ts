import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  renderForgetSchedule,
  renderPlan,
  renderProgram,
  scheduleLabel,
  type ScheduleScript,
} from "../../components/service/schedule.render.ts";
import { assessSchedule, type RawConfig, type ScheduleStatus } from "../../operations/status.assess.ts";
import { type Swarm, startSwarm } from "../support/swarm.ts";
import { until } from "../support/until.ts";

/* The program of a schedule on a real swarm, as its timers and an operator start it. */

// The timer's own part is systemd's; a clock that goes ahead stands for the minutes that pass.
const stubs = {
  systemctl: "#!/bin/sh\n",
  date: `#!/bin/sh
if [ "$*" = +%s ]; then echo $(($(/bin/date +%s) + \${AHEAD:-0})); else exec /bin/date "$@"; fi
`,
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe("a schedule on the swarm", () => {
  let swarm: Swarm;
  let directory: string;
  let image: string;

  before(async function () {
    this.timeout(60_000);
    swarm = await startSwarm();
    directory = await mkdtemp(join(tmpdir(), "berth-schedule-"));
    for (const [name, text] of Object.entries(stubs)) {
      await writeFile(join(directory, name), text);
      await chmod(join(directory, name), 0o755);
    }
    image = await swarm.image("upkeep", "1.0.0");
    await swarm.api.createNetwork({ Name: "app-data", Driver: "overlay" });
    await swarm.api.createSecret({ Name: "key-1a2b", Data: Buffer.from("s3cret").toString("base64") });
  });
  after(async function () {
    this.timeout(60_000);
    await swarm.stop();
    await rm(directory, { recursive: true });
  });

  const schedule = (name: string, words: string): ScheduleScript => ({
    name: `app-${name}`,
    image,
    command: ["sh", "-c", words],
    env: { GREETING: "it's" },
    secrets: [{ name: "KEY", secretName: "key-1a2b" }],
    networks: ["app-data"],
    resources: { memory: "64 MB", cpus: 0.5 },
    user: "1000:1000",
    readOnly: true,
    timeout: "5 minutes",
    cron: "* * * * *",
    timeZone: "UTC",
  });

  const sh = (script: string, args: readonly string[], ahead = 0): Promise<Ran> =>
    new Promise((resolve) => {
      const env = { PATH: `${directory}:${process.env["PATH"] ?? ""}`, DOCKER_HOST: swarm.host, AHEAD: String(ahead) };
      const child = execFile("sh", ["-s", ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
      });
      child.stdin?.end(script);
    });
  const run = (one: ScheduleScript, verb: string, ahead?: number): Promise<Ran> =>
    sh(renderProgram(one), [verb], ahead);

  interface Kept {
    readonly name: string;
    readonly result: string | undefined;
    readonly words: string;
  }
  const kept = async ({ name }: ScheduleScript): Promise<Kept[]> => {
    const found = await swarm.api.listConfigs({ filters: { label: [`${scheduleLabel}=${name}`] } });
    return found
      .map(({ Spec }) => ({
        name: Spec?.Name ?? "",
        result: Spec?.Labels[`${scheduleLabel}.result`],
        words: Buffer.from(Spec?.Data ?? "", "base64").toString(),
      }))
      .toSorted((a, b) => a.name.localeCompare(b.name));
  };
  const results = async (one: ScheduleScript): Promise<string[]> =>
    (await kept(one)).flatMap(({ result, words }) => (result === undefined ? [] : [words.trim()]));
  const services = async ({ name }: ScheduleScript): Promise<{ id: string; run: string }[]> => {
    const found = await swarm.api.listServices({ filters: { label: [`${scheduleLabel}=${name}`] } });
    return found.map(({ ID, Spec }) => ({ id: ID, run: Spec?.Labels?.[`${scheduleLabel}.run`] ?? "" }));
  };

  /** What `berth status` says of it, from what the swarm keeps. */
  const status = async ({ name }: ScheduleScript): Promise<ScheduleStatus> => {
    const configs = (await swarm.api.listConfigs({ filters: { label: [scheduleLabel] } })) as unknown as RawConfig[];
    return assessSchedule(name.replace("app-", ""), name, { configs }, Date.now());
  };

  it("runs to its end by hand, with its secrets and settings, and leaves only its result", async () => {
    const one = schedule(
      "check",
      '[ "$(cat "$KEY_FILE")" = s3cret ] && [ "$GREETING" = "it\'s" ] && ! (: >/written) 2>/dev/null',
    );
    const ran = await run(one, "now");
    assert.equal(ran.code, 0, ran.err);
    assert.deepEqual(await results(one), ["done"]);
    assert.deepEqual(await services(one), []);
  }).timeout(60_000);

  it("is told by status: not set up, not run yet, well, and why its last run failed", async () => {
    const one = { ...schedule("told", "exit 0"), cron: "0 0 1 1 *", timeZone: "Europe/Berlin" };
    assert.equal((await status(one)).problem, "is not set up on the swarm");

    assert.equal((await sh(renderPlan(one), [])).code, 0);
    const times = "0 0 1 1 * Europe/Berlin";
    assert.deepEqual(await status(one), { name: "told", times, lastRun: null, result: null, problem: null });

    const began = Date.now();
    assert.equal((await run(one, "now")).code, 0);
    const well = await status(one);
    assert.deepEqual([well.result, well.problem], ["done", null]);
    assert.ok(Math.abs(Date.parse(well.lastRun ?? "") - began) <= 60_000, well.lastRun ?? "never");

    assert.equal((await run({ ...one, command: ["sh", "-c", "exit 7"] }, "now", 60)).code, 1);
    const failed = await status(one);
    assert.match(failed.problem ?? "", /^its run of 20\d\d-.*Z failed: Failed .*non-zero exit \(7\)/);
  }).timeout(60_000);

  it("records a run that fails, with its last words in the log, and fails by hand", async () => {
    const one = schedule("broken", "echo no such table; exit 7");
    const ran = await run(one, "now");
    assert.equal(ran.code, 1);
    assert.match(ran.err, /its last log lines:\n {2}no such table$/m);
    assert.match((await results(one)).join(), /^failed: Failed .*non-zero exit \(7\)/);
    assert.deepEqual(await services(one), []);
  }).timeout(60_000);

  it("records what could not be started", async () => {
    const one = { ...schedule("lost", "exit 0"), networks: ["app-lost"] };
    const ran = await run(one, "now");
    assert.equal(ran.code, 1);
    assert.match((await results(one)).join(), /^failed: could not be started: .*app-lost/);
  }).timeout(60_000);

  it("runs once for all managers, one run at a time, and ends what is past its timeout", async () => {
    const one = schedule("long", "sleep 600");
    await until("a minute that lasts a while", 60_000, () =>
      Promise.resolve(new Date().getUTCSeconds() < 45 ? true : undefined),
    );
    const claimants = await Promise.all([1, 2, 3].map(() => run(one, "tick")));
    assert.deepEqual(
      claimants.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.equal(claimants.filter(({ out }) => out.includes("another manager runs it")).length, 2);
    const [first, ...others] = await services(one);
    assert.deepEqual(others, []);
    assert.match(first!.run, /^app-long-\d{8}T\d{4}$/);

    await until("the run is under way", 30_000, async () => {
      const tasks = (await swarm.api.listTasks({ filters: { service: [one.name] } })) as {
        Status?: { State?: string };
      }[];
      return tasks.some(({ Status }) => Status?.State === "running") ? true : undefined;
    });
    const skipped = await run(one, "tick", 60);
    assert.equal(skipped.code, 0, skipped.err);
    assert.deepEqual(await results(one), [`skipped: ${first!.run} is under way`]);
    assert.deepEqual(await services(one), [first]);
    const byHand = await run(one, "now");
    assert.equal(byHand.code, 1);
    assert.deepEqual(await services(one), [first]);

    const later = await run(one, "tick", 3600);
    assert.equal(later.code, 0, later.err);
    const [next, ...rest] = await services(one);
    assert.deepEqual(rest, []);
    assert.notEqual(next!.id, first!.id);
    const ended = (await kept(one)).find(({ name }) => name === `${first!.run}-over`);
    assert.match(ended!.words, /^failed: not done within its timeout of 5 minutes: Running/);
  }).timeout(120_000);

  it("keeps one plan, and nothing once it is gone", async () => {
    const one = schedule("long", "sleep 600");
    const changed = { ...one, cron: "0 3 * * *" };
    for (const each of [one, one, changed]) assert.equal((await sh(renderPlan(each), [])).code, 0);
    const plans = (await kept(one)).filter(({ name }) => name.startsWith("app-long-plan-"));
    assert.deepEqual(
      plans.map(({ words }) => words),
      ["0 3 * * *\n"],
    );
    assert.equal((await sh(renderForgetSchedule(one.name), [])).code, 0);
    assert.deepEqual([await kept(one), await services(one)], [[], []]);
    assert.ok((await kept(schedule("check", ""))).length > 0, "another schedule's are kept");
  }).timeout(60_000);

  it("skips a run that its timer starts too late", async () => {
    const now = new Date();
    const one = { ...schedule("late", "exit 0"), cron: `${(now.getUTCMinutes() + 30) % 60} * * * *` };
    const ran = await run(one, "tick");
    assert.equal(ran.code, 0);
    assert.match(ran.out, /too late for a run that was due; it is skipped/);
    assert.deepEqual(await kept(one), []);
  });
});
