import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import { connection } from "../../components/fleet/connection.ts";
import { renderHere } from "../../components/fleet/here.ts";
import { sshCommand, writeSshFiles } from "../../components/fleet/ssh.ts";
import type { Host, Jump } from "../../components/config/host.ts";
import { main } from "../../operations/main.ts";
import { promiseOf } from "../support/mocks.ts";
import { startChosen } from "../support/provider.ts";
import { newSshKey } from "../support/ssh-key.ts";
import { startSshd, type Sshd } from "../support/sshd.ts";

/* The ways to a host behind a jump host, through two real SSH servers. */

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe("a jump host", () => {
  let bastion: Sshd;
  let target: Sshd;
  let root: string;
  let host: Host;
  let jump: Jump;

  before(async function () {
    this.timeout(120_000); // The first run on a machine may install sshd.
    bastion = await startSshd();
    // One key opens both, as berth's does.
    target = await startSshd({ private: bastion.privateKey, public: bastion.publicKey });
  });
  after(async function () {
    // A server waits for its connections: one that outlives what made it, as shared ones do for 10 s, is noticed here.
    this.timeout(5000);
    await Promise.all([bastion.stop(), target.stop()]);
  });
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "berth-jump-"));
    const { port, user, hostKey } = bastion;
    jump = { name: "bastion", address: "127.0.0.1", port, user, hostKey };
    const way = { address: "127.0.0.1", port: target.port, user: target.user, hostKey: target.hostKey, jump };
    host = { name: "db-1", ...way, role: "manager", state: "active", labels: {} };
  });
  afterEach(async () => {
    const left = await readdir(join(root, ".berth"), { withFileTypes: true }).catch(() => []);
    for (const file of left.filter((one) => one.isSocket())) {
      const { code, stderr } = await run(["ssh", "-S", join(".berth", file.name), "-O", "exit", "bastion"]);
      assert.equal(code, 0, stderr);
    }
    await rm(root, { recursive: true, force: true });
  });

  const run = async ([program = "", ...args]: readonly string[], input = ""): Promise<Outcome> =>
    new Promise((resolve) => {
      const child = execFile(program, args, { cwd: root }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      });
      child.stdin?.on("error", () => undefined).end(input);
    });
  const write = (): void => {
    writeSshFiles({ stack: "one", hosts: [host], sshKey: bastion.privateKey }, root);
  };
  /** Ports of the connection as the host sees it; the client's is the jump host's. */
  const seen = 'echo "$SSH_CONNECTION"';

  it("is gone through by ssh as it is configured, which Docker, jobs and verbs use", async () => {
    write();
    const { code, stdout, stderr } = await run(sshCommand("one", "db-1", ["sh", "-c", seen]));
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(` ${target.port}$`, "m"));
  });

  it("is the only way there is", async () => {
    host = { ...host, jump: { ...jump, port: 1 } };
    write();
    const { stderr } = await run(sshCommand("one", "db-1", ["true"]));
    assert.match(stderr, /connect to host 127\.0\.0\.1 port 1: Connection refused/);
  });

  it("is gone through by scripts for a host that the SSH configuration no longer has", async () => {
    writeSshFiles({ stack: "one", hosts: [], sshKey: bastion.privateKey }, root);
    const body = `ask_host() {\n  on_host '${seen}'\n  fresh '${seen}'\n}`;
    const script = renderHere({ stack: "one", host, concern: "test", body });
    const { code, stdout, stderr } = await run(["sh", "-s", "ask_host"], script);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.match(new RegExp(` ${target.port}$`, "gm"))?.length, 2);
  });

  it("is gone through by command resources", async () => {
    const plugin = await startChosen("command", {}, { SSH_AUTH_SOCK: "" });
    try {
      const inputs = { connection: await clear(host), create: seen };
      const { outputs } = await plugin.create("command:remote:Command", inputs);
      assert.match(String(outputs["stdout"]), new RegExp(` ${target.port}$`));
      const stranger = await clear({ ...host, jump: { ...jump, hostKey: (await newSshKey()).public } });
      await assert.rejects(
        plugin.create("command:remote:Command", { connection: { ...stranger, dialErrorLimit: 0 }, create: "true" }),
        /host key mismatch/,
      );
    } finally {
      await plugin.stop();
    }
  });

  it("is not gone through when it has another key than the pinned one", async () => {
    host = { ...host, jump: { ...jump, hostKey: (await newSshKey()).public } };
    write();
    const bySsh = await run(sshCommand("one", "db-1", ["true"]));
    assert.match(bySsh.stderr, /Host key verification failed/);
    const script = renderHere({ stack: "one", host, concern: "test", body: "try() {\n  on_host true\n}" });
    const byScript = await run(["sh", "-s", "try"], script);
    assert.notEqual(byScript.code, 0);
    assert.match(byScript.stderr, /Host key verification failed/);
  });

  it("is gone through to ask for a host's key", async () => {
    const { name: _, ...way } = jump;
    const asked = await hostKey(way);
    assert.equal(asked.code, 0, asked.said);
    assert.ok(asked.said.startsWith(`hostKey: ${target.hostKey}\n`), asked.said);
    const stranger = await hostKey({ ...way, hostKey: (await newSshKey()).public });
    assert.equal(stranger.code, 1);
    assert.match(stranger.said, /127\.0\.0\.1: cannot be reached through bastion, got ".*Host key verification failed/);
    const unpinned = await hostKey({ ...way, hostKey: undefined });
    assert.match(unpinned.said, /berth:jumpHosts\.bastion\.hostKey: is missing; run `npm run berth -- host-key /);
  });

  /** The connection of a command resource, its secrets in clear. */
  const clear = async (one: Host): Promise<Record<string, unknown>> => {
    const { privateKey: _, proxy, ...rest } = connection(one, bastion.privateKey);
    const { privateKey: __, ...way } = await promiseOf(pulumi.output(proxy!));
    const key = { privateKey: bastion.privateKey };
    return { ...(rest as Record<string, unknown>), ...key, proxy: { ...way, dialErrorLimit: 0, ...key } };
  };

  const hostKey = async (way: object): Promise<{ code: number; said: string }> => {
    const config = { "berth:jumpHosts": { bastion: way }, "berth:sshKey": { secure: "sealed" } };
    await writeFile(join(root, "Pulumi.one.yaml"), stringify({ config }));
    await mkdir(join(root, "bin"), { recursive: true });
    const value = JSON.stringify({ value: bastion.privateKey });
    await writeFile(join(root, "bin/pulumi"), `#!/bin/sh\ncat <<'END'\n${value}\nEND\n`);
    await chmod(join(root, "bin/pulumi"), 0o755);
    const path = process.env["PATH"];
    process.env["PATH"] = `${join(root, "bin")}:${path ?? ""}`;
    let said = "";
    const say = (text: string): void => void (said += `${text}\n`);
    try {
      const argv = ["host-key", `127.0.0.1:${target.port}`, "--stack", "one", "--jump", "bastion"];
      const openRegistry = async () => Promise.reject(new Error("no registry is asked here"));
      return { code: await main(argv, { root, print: say, note: say, openRegistry }), said };
    } finally {
      process.env["PATH"] = path;
    }
  };
});
