import assert from "node:assert/strict";
import { Project, type Exit } from "./operations.fixture.ts";

const digest = (character: string) => `sha256:${character.repeat(64)}`;
const digests: Record<string, string> = { "1.0.0": digest("1"), "1.1.0": digest("2"), "1.2.0-broken": digest("3") };
const api = (tag: string) => `registry.test/trial-api:${tag}@${digests[tag] ?? ""}`;

/** Pulumi's own line in the stack file. */
let salt = "";
const stackFile = (apiPin: string) => `# the trial
${salt}config:
  berth:system: trial
  # move these with \`npm run berth -- pin\`
  berth:images:
    web: "registry.test/trial-web:1.0.0@${digest("a")}" # rarely changes
    api: ${apiPin}   # changes daily

  berth:domain:   trial.test
`;

const webPin = `registry.test/trial-web:1.0.0@${digest("a")}`;
const everything = Object.fromEntries([
  [webPin, digest("a")],
  ...Object.entries(digests).flatMap(([tag, value]) => [
    [`registry.test/trial-api:${tag}`, value],
    [api(tag), value],
  ]),
]) as Record<string, string>;

describe("the operator's verbs on a real engine", () => {
  let project: Project;
  before(async function () {
    this.timeout(60_000);
    project = new Project();
    await project.create();
    salt = project.read();
    project.write(stackFile(api("1.0.0")));
    project.registry(everything);
  });
  after(() => {
    project.remove();
  });

  /** Runs to success, or fails with all that was said. */
  async function must(run: Promise<Exit>): Promise<Exit> {
    const exit = await run;
    assert.equal(exit.code, 0, exit.stdout + exit.stderr);
    return exit;
  }
  async function deploy(tag: string): Promise<number | null> {
    await must(project.berth("pin", "trial", `api=${tag}`));
    return (await project.pulumi("up", "--yes", "--skip-preview")).code;
  }
  const live = async () =>
    JSON.parse((await project.pulumi("stack", "output", "--json")).stdout) as { release: number };
  const noop = async () => (await project.pulumi("preview", "--expect-no-changes")).code === 0;

  it("lists nothing and has nothing to go back to before the first release", async () => {
    const listed = await project.berth("releases", "trial");
    assert.deepEqual(
      [listed.code, listed.stderr],
      [0, "stack trial: nothing was released yet; `pulumi up` makes the first release\n"],
    );
    const back = await project.berth("rollback", "trial", "--yes");
    assert.deepEqual(
      [back.code, back.stderr],
      [1, "rollback: nothing was released yet; `pulumi up` makes the first release\n"],
    );
  });

  it("refuses to go back from the only release", async () => {
    await must(project.pulumi("up", "--yes", "--skip-preview"));
    const { code, stderr } = await project.berth("rollback", "trial", "--yes");
    assert.deepEqual(
      [code, stderr],
      [1, "rollback: there is only one release, number 1; there is nothing to go back to\n"],
    );
  });

  it("pins a tag and keeps every other line of the stack file", async () => {
    const { stdout } = await must(project.berth("pin", "trial", "api=1.1.0"));
    assert.match(stdout, /^api +1\.0\.0 sha256:1{12} +→ +1\.1\.0 sha256:2{12}$/m);
    assert.equal(project.read(), stackFile(api("1.1.0")));
  });

  it("writes nothing when one of several tags is not at the registry", async () => {
    const before = project.read();
    const { code, stderr } = await project.berth("pin", "trial", "api=1.0.0", "web=9.9.9");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^web=9\.9\.9: the registry has no such image, got registry\.test\/trial-web:9\.9\.9; .*known names: web, api/,
    );
    assert.equal(project.read(), before);
  });

  it("goes back to the release before, after which a plain preview has no changes", async () => {
    await must(project.pulumi("up", "--yes", "--skip-preview"));
    const { stderr } = await must(project.berth("rollback", "trial", "--yes"));
    assert.match(stderr, /from release 2 back to release 1\n {2}api 1\.1\.0 → 1\.0\.0\n/);
    assert.equal(project.read(), stackFile(api("1.0.0")));
    assert.deepEqual([(await live()).release, await noop()], [3, true]);
  });

  it("goes to a release by number or tag", async () => {
    await must(project.berth("rollback", "trial", "--to-tag", "api=1.1.0", "--yes"));
    assert.equal(project.read(), stackFile(api("1.1.0")));
    await must(project.berth("rollback", "trial", "--to", "1", "--yes"));
    assert.equal(project.read(), stackFile(api("1.0.0")));
    assert.equal((await live()).release, 5);
  });

  it("after a failed release goes back to what is live, and lists the failed try with its author", async () => {
    assert.equal(await deploy("1.2.0-broken"), 1);
    const { stderr } = await must(project.berth("rollback", "trial", "--yes"));
    assert.match(stderr, /^back to release 5, the last one that went live\n {2}api 1\.2\.0-broken → 1\.0\.0\n/);
    assert.deepEqual([(await live()).release, await noop()], [5, true]);
    const rows = (await project.berth("releases", "trial")).stdout.split("\n");
    assert.match(rows[1] ?? "", /^– .* api 1\.0\.0 → 1\.2\.0-broken +failed$/);
    assert.match(rows[2] ?? "", /^5 .* Ann +api 1\.1\.0 → 1\.0\.0 +live$/);
    const entries = JSON.parse((await project.berth("releases", "trial", "--json")).stdout) as { result: string }[];
    assert.deepEqual(
      entries.map(({ result }) => result),
      ["failed", "live", "released", "released", "released", "released"],
    );
  });

  it("touches nothing when the registry no longer has an image of the release", async () => {
    const kept = project.read();
    project.registry({ [webPin]: digest("a") });
    const { code, stderr } = await project.berth("rollback", "trial", "--to", "2", "--yes");
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^rollback: the registry no longer has ${api("1.1.0")}$`, "m"));
    assert.deepEqual([project.read(), (await live()).release], [kept, 5]);
    project.registry(everything);
  });

  for (const [how, answer] of [
    ["declined", "\r"],
    ["broken off with Ctrl-C", "\x03"],
  ] as const) {
    it(`puts the stack file back when the rollback is ${how} at the prompt`, async () => {
      const kept = project.read();
      const args = ["rollback", "trial", "--to", "2"];
      const { code, stdout } = await project.berthOnTerminal(args, /perform this update/, answer);
      assert.notEqual(code, 0);
      assert.match(stdout, /api 1\.0\.0 → 1\.1\.0[\s\S]*nothing was changed; .*Pulumi\.trial\.yaml is as it was/);
      assert.deepEqual([project.read(), (await live()).release], [kept, 5]);
    });
  }

  it("names the lock that Pulumi leaves when a signal ends it at the prompt", async () => {
    const kept = project.read();
    const { stdout } = await project.berthOnTerminal(["rollback", "trial", "--to", "2"], /perform this update/, {
      signal: "SIGTERM",
    });
    assert.match(stdout, /nothing was changed; .*Pulumi\.trial\.yaml is as it was/);
    assert.match(stdout, /Pulumi was ended by a signal.*`pulumi cancel --stack trial`/);
    assert.equal(project.read(), kept);
    await must(project.pulumi("cancel", "--yes"));
  });

  it("puts the stack file back when the preview fails", async () => {
    const kept = `${project.read()}  berth:refuse: true\n`;
    project.write(kept);
    const { code, stdout, stderr } = await project.berth("rollback", "trial", "--to", "2", "--yes");
    assert.notEqual(code, 0);
    assert.match(stdout, /berth:refuse: is set/);
    assert.match(stderr, /nothing was changed; .*Pulumi\.trial\.yaml is as it was\n$/);
    assert.equal(project.read(), kept);
    project.write(kept.replace("  berth:refuse: true\n", ""));
  });

  it("leaves what was asked for in the stack file when the update began and failed; once more goes back", async () => {
    const kept = project.read();
    project.write(`${kept}  berth:fail: true\n`);
    const failed = await project.berth("rollback", "trial", "--to", "2", "--yes");
    assert.notEqual(failed.code, 0);
    assert.match(
      failed.stderr,
      /the update had begun, so .* keeps the pins of release 2: .* goes back to release 5\n$/,
    );
    assert.equal(project.read(), `${stackFile(api("1.1.0"))}  berth:fail: true\n`);
    project.write(stackFile(api("1.1.0")));
    await must(project.berth("rollback", "trial", "--yes"));
    assert.deepEqual([project.read(), (await live()).release], [kept, 5]);
  });

  it("works on a stack file that lies elsewhere", async () => {
    project.moveStackFile("elsewhere/live.yaml");
    const elsewhere = ["--config-file", "elsewhere/live.yaml"];
    await must(project.berth("rollback", "trial", "--to", "2", "--yes", ...elsewhere));
    assert.deepEqual([project.read(), (await live()).release], [stackFile(api("1.1.0")), 6]);
    await must(project.berth("pin", "trial", "api=1.0.0", ...elsewhere));
    assert.equal(project.read(), stackFile(api("1.0.0")));
  });
});
