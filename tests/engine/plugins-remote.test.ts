import assert from "node:assert/strict";
import { freePorts } from "../../lab/state.ts";
import { PulumiProject } from "../support/pulumi.ts";
import { newSshKey } from "../support/ssh-key.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const program = `
const password = new random.RandomPassword("password", { length: 24, special: false });
const received = new command.remote.Command("received", {
  connection: settings.connection,
  create: settings.create ?? "wc -c",
  stdin: password.result,
  logging: "none",
});
export const count = received.stdout.apply((text: string) => text.trim());
export const drawn = password.result;
`;

describe("remote commands on the real engine", function () {
  this.timeout(300_000);
  let sshd: Sshd;
  let project: PulumiProject;

  before(async () => {
    sshd = await startSshd();
    const env = { SSH_AUTH_SOCK: "" };
    project = await PulumiProject.create({ program, dependencies: ["@pulumi/random", "@pulumi/command"], env });
  });
  after(async () => {
    await project.remove();
    await sshd.stop();
  });

  const connection = (changes: object = {}) => ({
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.user,
    privateKey: sshd.privateKey,
    hostKey: sshd.hostKey,
    dialErrorLimit: 1,
    ...changes,
  });
  const said = ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr;

  it("names a refused port, and stores nothing of the command", async () => {
    const [port] = await freePorts(1);
    await project.settings({ connection: connection({ port }) });
    const result = await project.up();
    assert.notEqual(result.code, 0);
    assert.match(
      said(result),
      new RegExp(`after 1 failed attempts: dial tcp 127.0.0.1:${port!}: .*connection refused`),
    );
    assert.equal(await project.resource("received"), undefined);
  });

  it("rejects a host with another key than the pinned one", async () => {
    const hostKey = (await newSshKey()).public;
    await project.settings({ connection: connection({ hostKey }) });
    const result = await project.up();
    assert.notEqual(result.code, 0);
    assert.match(said(result), /ssh: handshake failed: ssh: host key mismatch/);
  });

  it("runs with the right keys; neither the secret on stdin nor the private key is in plain text anywhere", async () => {
    await project.settings({ connection: connection() });
    const result = await project.mustUp();
    const { count, drawn } = await project.outputs();
    assert.equal(count, "24");
    const keyLine = sshd.privateKey.split("\n")[1]!;
    for (const text of [said(result), await project.state()]) {
      assert.ok(!text.includes(String(drawn)));
      assert.ok(!text.includes(keyLine));
    }
    assert.ok(await project.isSettled());
  });

  it("keeps the old inputs when the script fails, and says what it said", async () => {
    await project.settings({ connection: connection(), create: "echo half way; exit 3" });
    const result = await project.up();
    assert.notEqual(result.code, 0);
    assert.match(said(result), /Process exited with status 3: running "echo half way; exit 3":\s+half way/);
    assert.equal((await project.resource("received"))?.inputs?.["create"], "wc -c");
  });
});
