import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labFiles, runSuites, summary, type Suite } from "../../support/all.ts";

describe("running all suites", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "berth-suites-"));
    const write = (name: string, text: string) => {
      writeFileSync(join(root, name), text);
    };
    write("good.cjs", "it('a', () => {}); it('b', () => {});");
    write("bad.cjs", "it('a', () => {}); it('b', () => { throw new Error('no'); });");
    write(
      "hook.cjs",
      "describe('group', () => { it('a', () => {}); after(() => { throw new Error('late\\nmore'); }); });",
    );
    write("crash.cjs", "it('a', () => process.exit(7));");
  });
  after(() => {
    rmSync(root, { recursive: true });
  });

  const suite = (name: string, slow = false): Suite => ({ name, run: { mocha: `${name}.cjs` }, slow });
  const run = async (suites: Suite[], evenAfterFailures = false) =>
    (await runSuites(suites, { root, evenAfterFailures, output: "ignore" })).map(
      ({ name, passed, failed, skipped }) => [name, passed, failed, skipped],
    );

  it("adds up what mocha counted, and takes a command for one", async () => {
    const check: Suite = { name: "check", run: { command: [process.execPath, "-e", ""] } };
    const broken: Suite = { name: "broken", run: { command: [process.execPath, "-e", "process.exit(3)"] } };
    assert.deepEqual(await run([check, broken, suite("good")]), [
      ["check", 1, 0, false],
      ["broken", 0, 1, false],
      ["good", 2, 0, false],
    ]);
  });

  it("adds up what ran at the same time", async () => {
    const both = (...mocha: string[]): Suite => ({ name: "both", run: { mocha, jobs: 2 } });
    assert.deepEqual(await run([both("good.cjs", "bad.cjs")]), [["both", 3, 1, false]]);
    assert.deepEqual(await run([both("good.cjs", "good.cjs")]), [["both", 2, 0, false]]);
    const [[, , failed] = []] = await run([both("good.cjs", "crash.cjs")]);
    assert.ok(Number(failed) > 0, "a file that crashed");
  });

  it("runs beside the one before what says so, and the next ones when both have ended", async () => {
    // Each waits until the other has started.
    const meets = (own: string, other: string): Suite["run"] => ({
      command: [
        process.execPath,
        "-e",
        `const { existsSync, writeFileSync } = require("node:fs");
        writeFileSync("${own}", "");
        const end = Date.now() + 10_000;
        const look = () => (existsSync("${other}") ? 0 : Date.now() > end ? process.exit(1) : setTimeout(look, 20));
        look();`,
      ],
    });
    const finds = `require("node:fs").accessSync("left"); require("node:fs").accessSync("right")`;
    const suites: Suite[] = [
      { name: "left", run: meets("left", "right") },
      { name: "right", run: meets("right", "left"), beside: true },
      { name: "next", run: { command: [process.execPath, "-e", finds] } },
    ];
    assert.deepEqual(await run(suites), [
      ["left", 1, 0, false],
      ["right", 1, 0, false],
      ["next", 1, 0, false],
    ]);
    const slow = [
      { ...suite("good", true), beside: true },
      { ...suite("bad", true), beside: true },
    ];
    assert.deepEqual(await run([suite("bad"), ...slow.slice(0, 1)]), [
      ["bad", 1, 1, false],
      ["good", 2, 0, false],
    ]);
    assert.deepEqual(await run([suite("bad"), suite("good", true), ...slow]), [
      ["bad", 1, 1, false],
      ["good", 0, 0, true],
      ["good", 0, 0, true],
      ["bad", 0, 0, true],
    ]);
  });

  it("starts every file of the lab once, and those that share a lab one after another", () => {
    const { shared, others } = labFiles(process.cwd());
    const there = readdirSync("tests/lab").filter((name) => name.endsWith(".test.ts"));
    assert.deepEqual([...shared, ...others].toSorted(), there.map((name) => `tests/lab/${name}`).toSorted());
    assert.equal(shared[0], "tests/lab/lab-life.test.ts", "it brings up what they share");
    for (const name of ["first-up", "upgrade"]) assert.ok(shared.includes(`tests/lab/${name}.test.ts`), name);
    for (const name of ["systems", "edge-life"]) assert.ok(others.includes(`tests/lab/${name}.test.ts`), name);
  });

  it("goes on after a failure but leaves out the slow suites, unless told otherwise", async () => {
    const bad = ["bad", 1, 1, false];
    assert.deepEqual(await run([suite("bad"), suite("good", true)]), [bad, ["good", 0, 0, true]]);
    assert.deepEqual(await run([suite("bad"), suite("good", true)], true), [bad, ["good", 2, 0, false]]);
    assert.deepEqual(await run([suite("bad", true), suite("good", true)]), [bad, ["good", 2, 0, false]]);
  });

  it("takes a run that crashed or found no test for a failure", async () => {
    assert.deepEqual(await run([suite("crash"), suite("missing")]), [
      ["crash", 0, 1, false],
      ["missing", 0, 1, false],
    ]);
  });

  it("says again at the end what failed, hooks and crashes as well", async () => {
    const command = [process.execPath, "-e", "process.exit(3)"] as const;
    const suites: Suite[] = ["bad", "hook", "crash"].map((name) => suite(name));
    const all = [...suites, { name: "broken", run: { command } }];
    const outcomes = await runSuites(all, { root, evenAfterFailures: false, output: "ignore" });
    assert.deepEqual(
      outcomes.map(({ problems }) => problems),
      [
        ["b: no"],
        ['group "after all" hook for "a": late'],
        ["mocha: exit code 7, though no test failed"],
        [`${command.join(" ")}: exit code 3`],
      ],
    );
  });

  it("ends with one line of counts, after what failed", () => {
    const unit = { name: "unit", passed: 12, failed: 1, seconds: 3.21, skipped: false, problems: ["b: no"] };
    const lab = { name: "lab", passed: 0, failed: 0, seconds: 0, skipped: true, problems: [] };
    const counts = "unit  12 passed, 1 failed, 3.2 s\nlab   not run\n\n12 passed, 1 failed";
    assert.equal(summary([unit, lab]), `Failed:\nunit: b: no\n\n${counts}`);
    assert.equal(summary([lab]), "lab  not run\n\n0 passed, 0 failed");
  });
});
