import assert from "node:assert/strict";
import { PulumiProject } from "../support/pulumi.ts";

const program = `
if (settings.throw === "run error") throw new pulumi.RunError("berth:x: is wrong");
if (settings.throw === "error") throw new Error("a bug");
if (settings.exit) process.exit(settings.exit);
const config = new pulumi.Config();
export const nodeArguments = process.execArgv;
export const directory = process.cwd();
export const plain = config.get("plain");
export const hidden = config.getSecret("hidden");
export const where = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()];
`;

describe("the language host on the real engine", function () {
  this.timeout(300_000);
  let project: PulumiProject;

  before(async () => {
    const options = { nodeargs: "--stack-trace-limit=5 '--title=a b'" };
    project = await PulumiProject.create({ program, options });
    await project.run("config", "set", "plain", "a=b:c");
    await project.run("config", "set", "--secret", "hidden", "hunter2");
  });
  after(() => project.remove());

  it("runs the main program where the project is, with its node arguments and configuration", async () => {
    const { stdout, stderr } = await project.mustUp();
    const { directory, nodeArguments, where, plain, hidden } = await project.outputs();
    assert.equal(directory, project.directory);
    assert.deepEqual(nodeArguments, ["--stack-trace-limit=5", "--title=a b"]);
    assert.deepEqual(where, ["organization", "engine-test", project.stack]);
    assert.deepEqual([plain, hidden], ["a=b:c", "hunter2"]);
    for (const text of [stdout, stderr, await project.state()]) assert.ok(!text.includes("hunter2"));
  });

  it("lets a program explain itself without adding a word", async () => {
    await project.settings({ throw: "run error" });
    const { code, stdout, stderr } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /error: berth:x: is wrong/);
    assert.doesNotMatch(stdout + stderr, /unhandled exception|exit code|at .*index\.ts/);
  });

  it("shows where an unexpected error came from", async () => {
    await project.settings({ throw: "error" });
    const { code, stdout, stderr } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /a bug[\s\S]*index\.ts:\d+/);
  });

  it("reports the exit code of a program that just ends", async () => {
    await project.settings({ exit: 3 });
    const { code, stdout, stderr } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /exited with non-zero exit code: 3/);
  });

  it("says what `pulumi about` asks", async () => {
    const { stdout } = await project.run("about", "--json");
    const { runtime } = JSON.parse(stdout) as { runtime: { language: string; version: string } };
    assert.equal(runtime.language, "nodejs");
    assert.match(runtime.version, /^v\d+\.\d+\.\d+$/);
  });
});
