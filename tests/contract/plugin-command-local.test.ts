import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localRun } from "../../lab/plugins/command/local.ts";
import { quoteGo } from "../../lab/plugins/command/capture.ts";
import { type Provider, startProvider } from "../support/provider.ts";

const type = "command:local:Command";
const executable = join(import.meta.dirname, "../../lab/plugins/bin/pulumi-resource-command");

describe("command stand-in, local", () => {
  let provider: Provider;
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "berth-command-"));
    provider = await startProvider(executable, {});
  });
  after(async () => {
    await provider.stop();
    await rm(directory, { recursive: true });
  });

  const stdout = async (inputs: object) => (await provider.create(type, { ...inputs })).outputs["stdout"];

  it("passes stdin and the environment, and keeps stdout and stderr apart", async () => {
    const { outputs } = await provider.create(type, {
      create: 'cat; echo "$WHO"; echo aside >&2',
      stdin: "in ",
      environment: { WHO: "you" },
    });
    assert.deepEqual([outputs["stdout"], outputs["stderr"]], ["in you", "aside"]);
  });

  it("cuts one trailing newline and no more", async () => {
    assert.equal(await stdout({ create: "printf 'a\\n\\n'" }), "a\n");
  });

  it("runs in the directory and with the interpreter that it is given", async () => {
    assert.equal(await stdout({ create: "pwd", dir: directory }), directory);
    assert.equal(await stdout({ create: "process.stdout.write(`${1 + 1}`)", interpreter: ["node", "-e"] }), "2");
  });

  it("does not mind a command that leaves its input unread", async () => {
    assert.equal(await stdout({ create: "exec true", stdin: "x".repeat(1_000_000) }), "");
  });

  it("keeps a secret input secret and leaves the outputs in the open", async () => {
    const { secrets } = await provider.create(type, { create: "true", stdin: "s" }, { stdin: true });
    assert.deepEqual(secrets, { stdin: true });
  });

  it("fails as the real one words it", async () => {
    const failing = async (inputs: object) => provider.create(type, { ...inputs });
    await assert.rejects(failing({ create: "echo out; echo err >&2; exit 2" }), {
      message: 'exit status 2: running "echo out; echo err >&2; exit 2":\nout\nerr\n',
    });
    await assert.rejects(failing({ create: "kill -9 $$" }), { message: 'signal: killed: running "kill -9 $$":\n' });
    await assert.rejects(failing({ create: "x", interpreter: ["no-such-program"] }), {
      message: 'exec: "no-such-program": executable file not found in $PATH: running "x":\n',
    });
    await assert.rejects(failing({ create: "x", dir: "/no/such" }), {
      message: 'chdir /no/such: no such file or directory: running "x":\n',
    });
  });

  it("prefers update to create, and hands over what was said before", async () => {
    const first = await provider.create(type, { create: "echo one; echo aside >&2" });
    const show = 'echo "$PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR"';
    const updated = await provider.update(type, first, {}, { create: "echo again", update: show });
    assert.equal(updated.outputs["stdout"], "one/aside");
    const again = await provider.update(type, first, {}, { create: show, addPreviousOutputInEnv: false });
    assert.equal(again.outputs["stdout"], "/", "create again without an update command, nothing handed over");
  });

  it("keeps the output where an update has nothing to run", async () => {
    const first = await provider.create(type, { create: "echo one" });
    const { outputs } = await provider.update(type, first, {}, {});
    assert.equal(outputs["stdout"], "one");
  });

  it("runs the stored delete command with the last output", async () => {
    const file = join(directory, "deleted");
    const stored = await provider.create(type, {
      create: "echo last",
      delete: `echo "$PULUMI_COMMAND_STDOUT $A" > ${file}`,
      environment: { A: "b" },
    });
    await provider.delete(type, stored);
    assert.equal(await readFile(file, "utf8"), "last b\n");
  });

  it("updates in place for anything, and leaves it to the SDK that triggers replace", async () => {
    const oldInputs = { create: "a", triggers: ["1"], logging: "none" };
    const diff = async (changed: object) =>
      provider.diff(type, { id: "x", olds: oldInputs, oldInputs, news: { ...oldInputs, ...changed } });
    assert.deepEqual((await diff({ triggers: ["2"] })).detailed, { "triggers[0]": "update" });
    assert.deepEqual((await diff({ logging: undefined })).detailed, { logging: "delete" });
    assert.deepEqual((await diff({ stdin: "new" })).detailed, { stdin: "add" });
    assert.equal((await diff({})).changes, "none");
  });

  it("rejects unknown properties, wrong types, and what it does not offer", async () => {
    const { failures } = await provider.check(type, { creat: "x", stdin: 1, logging: "all" });
    assert.deepEqual(failures, [
      ": creat: unknown property",
      ": logging: expected one of stdout, stderr, stdoutAndStderr, none, got a string",
      ": stdin: expected a string, got a number",
    ]);
    const { failures: assets } = await provider.check(type, { create: "x", assetPaths: ["*"] });
    assert.match(assets[0]!, /^: assetPaths: is not offered by the stand-in; use the official plugin/);
  });

  it("runs the function command.local.run, and refuses a call without a command", async () => {
    const context = { urn: "", client: undefined, signal: AbortSignal.any([]) };
    const result = await localRun({ command: "echo hi" }, context);
    assert.deepEqual(result, { command: "echo hi", stdout: "hi", stderr: "" });
    await assert.rejects(localRun({}, context), { message: "command: required property is missing" });
  });

  it("shows lines as they come, as logging allows, and is killed when its time is over", async () => {
    const shown: string[] = [];
    const log = (severity: string, line: string, kind = "line") => shown.push(`${severity} ${kind} ${line}`);
    const context = { urn: "", client: undefined, signal: AbortSignal.timeout(200), log };
    const command = "printf 'é%s\\n' one; echo two >&2; exec sleep 30";
    await assert.rejects(localRun({ command, logging: "stdout" }, context), /^Error: signal: killed: /);
    assert.deepEqual(shown, ["info status éone"]);
  });
});

describe("Go's quoting", () => {
  it("escapes as %q does", () => {
    assert.equal(quoteGo('a"b\\c\n\t\u0001é\u0085'), String.raw`"a\"b\\c\n\t\x01é\u0085"`);
  });
});
