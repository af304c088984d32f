import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PulumiProject } from "../support/pulumi.ts";

const program = `
const password = new random.RandomPassword("password", {
  length: 24, special: false, keepers: { generation: settings.generation ?? "1" },
});
const id = new random.RandomId("id", { byteLength: 4 });
const step = new command.local.Command("step", {
  create: settings.create ?? 'echo "made by $WHO" && cat > received',
  update: settings.update,
  delete: 'echo "$PULUMI_COMMAND_STDOUT" > deleted',
  stdin: password.result,
  environment: { WHO: settings.who ?? "the first" },
  triggers: [settings.trigger ?? "1"],
  logging: "none",
});
export const said = step.stdout;
export const drawn = password.result;
export const name = id.hex;
`;

const dependencies = ["@pulumi/random", "@pulumi/command"];

describe("random and local commands on the real engine", function () {
  this.timeout(300_000);
  let project: PulumiProject;
  const file = async (name: string) => (await readFile(join(project.directory, name), "utf8")).trim();

  before(async () => {
    project = await PulumiProject.create({ program, dependencies });
  });
  after(() => project.remove());

  it("previews a first up without running anything", async () => {
    const steps = await project.preview();
    assert.deepEqual(
      steps.map(({ op }) => op),
      ["create", "create", "create", "create"],
    );
    await assert.rejects(file("received"), { code: "ENOENT" });
  });

  it("brings it up; the secret reaches the command and is nowhere in plain text", async () => {
    const { stdout, stderr } = await project.mustUp();
    const { drawn, said } = await project.outputs();
    assert.equal(said, "made by the first");
    assert.match(String(drawn), /^[a-zA-Z0-9]{24}$/);
    assert.equal(await file("received"), drawn);
    for (const text of [stdout, stderr, await project.state()]) assert.ok(!text.includes(String(drawn)));
    assert.equal((await project.resource("password"))?.id, "none");
  });

  it("finds nothing to do afterwards, nor after a refresh", async () => {
    assert.ok(await project.isSettled());
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, stdout);
    assert.ok(await project.isSettled());
  });

  it("updates in place by running create again, and previews that by path", async () => {
    await project.settings({ who: "the second" });
    const [step, ...rest] = await project.preview();
    assert.deepEqual(rest, []);
    assert.equal(step?.op, "update");
    assert.deepEqual(Object.keys(step.detailedDiff ?? {}), ["environment.WHO"]);
    const id = (await project.resource("step"))?.id;
    await project.mustUp();
    assert.equal((await project.outputs())["said"], "made by the second");
    assert.equal((await project.resource("step"))?.id, id);
  });

  it("prefers the update command, which sees what was said before", async () => {
    await project.settings({ who: "the third", update: 'echo "after: $PULUMI_COMMAND_STDOUT"' });
    await project.mustUp();
    assert.equal((await project.outputs())["said"], "after: made by the second");
  });

  it("keeps the old inputs when a command fails, prints why, and runs it again", async () => {
    await project.settings({ who: "the fourth", update: "echo no luck; exit 5" });
    for (const attempt of ["first", "second"]) {
      const { code, stdout, stderr } = await project.up();
      assert.notEqual(code, 0, attempt);
      assert.match(stdout + stderr, /exit status 5: running "echo no luck; exit 5":\s+no luck/);
    }
    assert.deepEqual((await project.resource("step"))?.inputs?.["environment"], { WHO: "the third" });
    await project.settings({ who: "the third", update: 'echo "after: $PULUMI_COMMAND_STDOUT"' });
    assert.ok(await project.isSettled(), "the failed change is forgotten with its inputs");
  });

  it("replaces for a trigger: the new one is made, then the old one's delete runs", async () => {
    await project.settings({ trigger: "2", who: "the fifth", update: "exit 1" });
    const [step, ...rest] = await project.preview();
    assert.deepEqual([step?.op, rest], ["replace", []]);
    await project.mustUp();
    assert.equal((await project.outputs())["said"], "made by the fifth");
    assert.equal(await file("deleted"), "after: made by the second");
  });

  it("draws a new password for a new keeper and hands it on in the same up", async () => {
    const before = await project.outputs();
    await project.settings({ trigger: "2", who: "the fifth", generation: "2" });
    const ops = (await project.preview()).map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`);
    assert.deepEqual(ops, ["replace password", "update step"]);
    await project.mustUp();
    const after = await project.outputs();
    assert.notEqual(after["drawn"], before["drawn"]);
    assert.equal(after["name"], before["name"]);
    assert.equal(await file("received"), after["drawn"]);
  });

  it("refuses an unknown property before anything runs", async () => {
    await project.settings({ create: { not: "text" } });
    const { code, stdout, stderr } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /create/);
  });

  it("destroys everything, running the delete command", async () => {
    const { code } = await project.run("destroy", "--yes", "--skip-preview");
    assert.equal(code, 0);
    assert.equal(await file("deleted"), "made by the fifth");
    assert.equal(await project.resource("step"), undefined);
  });
});
