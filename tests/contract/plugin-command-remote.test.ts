import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { freePorts } from "../../lab/state.ts";
import { type Provider, startProvider } from "../support/provider.ts";
import { newSshKey } from "../support/ssh-key.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const type = "command:remote:Command";
const executable = join(import.meta.dirname, "../../lab/plugins/bin/pulumi-resource-command");

describe("command stand-in, remote", () => {
  let sshd: Sshd;
  let provider: Provider;

  before(async function () {
    this.timeout(120_000); // The first run on a machine may install sshd.
    [sshd, provider] = await Promise.all([startSshd(), startProvider(executable, {}, { SSH_AUTH_SOCK: "" })]);
  });
  after(async () => {
    await provider.stop();
    await sshd.stop();
  });

  const connection = (changes: object = {}) => ({
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.user,
    privateKey: sshd.privateKey,
    hostKey: sshd.hostKey,
    dialErrorLimit: 1,
    perDialTimeout: 5,
    ...changes,
  });
  const run = async (inputs: object, secrets = {}) =>
    provider.create(type, { connection: connection(), ...inputs }, secrets);

  it("runs the command with its stdin and keeps what it said, less one newline", async () => {
    const { id, outputs } = await run({ create: "cat; echo again; echo aside >&2", stdin: "from stdin\n" });
    assert.match(id, /^thing[0-9a-f]{8}$/);
    assert.equal(outputs["stdout"], "from stdin\nagain");
    assert.equal(outputs["stderr"], "aside");
  });

  it("marks the connection secret and nothing else", async () => {
    const { secrets } = await run({ create: "true" });
    assert.deepEqual(secrets, { connection: true });
  });

  it("fills in what the connection leaves out", async () => {
    const news = { connection: { host: "h", proxy: { host: "p", port: 2222 } } };
    const { inputs } = await provider.check(type, news);
    const defaults = { user: "root", dialErrorLimit: 10, perDialTimeout: 15 };
    assert.deepEqual(inputs["connection"], {
      host: "h",
      port: 22,
      ...defaults,
      proxy: { host: "p", port: 2222, ...defaults },
    });
  });

  it("rejects unknown properties at any depth", async () => {
    const { failures } = await provider.check(type, { connection: { host: "h", hostkey: "k" }, commands: [] });
    assert.deepEqual(failures, [": commands: unknown property", ": connection.hostkey: unknown property"]);
  });

  it("fails with the exit status, the script and all it said", async () => {
    await assert.rejects(run({ create: 'echo "half way"\nexit 3' }), {
      message: 'Process exited with status 3: running "echo \\"half way\\"\\nexit 3":\nhalf way\n',
    });
  });

  it("fails with the signal that ended the command", async () => {
    await assert.rejects(run({ create: "kill -TERM $$" }), /^Error: Process exited with status 143 from signal TERM: /);
  });

  it("knows how a command ended whose whole answer comes at once", async function () {
    this.timeout(30_000);
    const late = await startLate(sshd.port);
    try {
      const at = connection({ port: late.port });
      assert.equal((await run({ connection: at, create: "echo quick" })).outputs["stdout"], "quick");
      await assert.rejects(run({ connection: at, create: "exit 3" }), /^Error: Process exited with status 3: /);
    } finally {
      await late.stop();
    }
  });

  it("rejects a server with another host key, after its tries", async () => {
    const other = (await newSshKey()).public;
    const wrong = { connection: connection({ hostKey: other }), create: "true" };
    await assert.rejects(provider.create(type, wrong), {
      message: "after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch",
    });
  });

  it("names a refused port", async () => {
    const [port] = await freePorts(1);
    await assert.rejects(run({ connection: connection({ port }), create: "true" }), {
      message: `after 1 failed attempts: dial tcp 127.0.0.1:${port!}: connect: connection refused`,
    });
  });

  it("names a key that the server does not know", async () => {
    const privateKey = (await newSshKey()).private;
    await assert.rejects(run({ connection: connection({ privateKey }), create: "true" }), {
      message:
        "after 1 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
    });
  });

  it("rejects text that is no key before it dials", async () => {
    const privateKey = "not a key";
    await assert.rejects(run({ connection: connection({ privateKey }), create: "true" }), {
      message: "ssh: no key found",
    });
  });

  it("opens an encrypted key with its password", async () => {
    const locked = await newSshKey("open");
    const attempt = async (privateKeyPassword?: string) =>
      run({ connection: connection({ privateKey: locked.private, privateKeyPassword }), create: "true" });
    await assert.rejects(attempt(), { message: "ssh: this private key is passphrase protected" });
    await assert.rejects(attempt("shut"), { message: "x509: decryption password incorrect" });
    await assert.rejects(attempt("open"), /unable to authenticate/, "a readable key that the server does not know");
  });

  it("goes through a jump host", async () => {
    const { outputs } = await run({ connection: connection({ proxy: connection() }), create: "echo through" });
    assert.equal(outputs["stdout"], "through");
  });

  it("sets the variables that the server accepts", async () => {
    const { outputs } = await run({ create: 'echo "$GREETING"', environment: { GREETING: "hello" } });
    assert.equal(outputs["stdout"], "hello");
  });

  it("does not run a command whose variable was refused", async () => {
    const mark = `/tmp/berth-refused-${process.pid}`;
    await assert.rejects(run({ create: `touch ${mark}`, environment: { GREETING: "hello", OTHER: "x" } }), {
      message: 'could not set environment variable "OTHER": ssh: setenv failed',
    });
    const { outputs } = await run({ create: `test -e ${mark} && echo ran || echo did not` });
    assert.equal(outputs["stdout"], "did not");
  });

  it("runs an update although the server refuses the previous output as a variable", async () => {
    const first = await run({ create: "echo first" });
    const news = { connection: connection(), create: "echo never", update: "echo second" };
    const { outputs } = await provider.update(type, first, { ...news, update: undefined }, news);
    assert.equal(outputs["stdout"], "second");
  });

  it("runs the stored delete command", async () => {
    const stored = await run({ create: "true", delete: "echo gone >&2; exit 4" });
    await assert.rejects(provider.delete(type, stored), /^Error: Process exited with status 4: .*\ngone/s);
  });

  it("does nothing where there is no command", async () => {
    const stored = await provider.create(type, { connection: { host: "127.0.0.1", port: 1 } });
    assert.deepEqual([stored.outputs["stdout"], stored.outputs["stderr"]], ["", ""]);
    await provider.delete(type, stored);
  });
});

/** Passes on what a server says only once it has been silent for a while, all of it in one piece. */
async function startLate(to: number): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createServer((client) => {
    const upstream = connect(to, "127.0.0.1");
    let held: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    const pass = () => {
      client.write(Buffer.concat(held));
      held = [];
    };
    upstream.on("data", (chunk: Buffer) => {
      held.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(pass, 250);
    });
    client.on("data", (chunk) => upstream.write(chunk)).on("close", () => upstream.destroy());
    for (const end of [client, upstream]) end.on("error", () => undefined);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      await once(server.close(), "close");
    },
  };
}
