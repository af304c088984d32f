import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { inspect } from "node:util";
import { CommandConnection } from "../../components/fleet/dial-stdio.ts";
import { dockerApi, dockerOver } from "../../components/fleet/docker-api.ts";

/** Stands for `ssh … docker system dial-stdio`: joins stdin and stdout to a socket. */
const dial = (socket: string): [string, ...string[]] => [
  process.execPath,
  "-e",
  "const s = require('node:net').connect(process.argv[1]); process.stdin.pipe(s).pipe(process.stdout)",
  socket,
];

describe("docker API over a command", () => {
  let directory: string;
  let daemon: Server;
  let socket: string;
  let connections: number;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "berth-dial-"));
    socket = join(directory, "docker.sock");
    connections = 0;
    daemon = createServer((request, response) => {
      if (request.url === "/_ping") return response.end("OK");
      if (request.url?.startsWith("/images/create")) return request.pipe(response);
      return response.writeHead(404).end(JSON.stringify({ message: `no such thing: ${request.url ?? ""}` }));
    }).on("connection", () => connections++);
    daemon.listen(socket);
    await once(daemon, "listening");
  });
  after(() => {
    daemon.closeAllConnections();
    daemon.close();
    rmSync(directory, { recursive: true });
  });

  it("answers requests and keeps the connection for the next one", async () => {
    const api = dockerOver("web-1", () => new CommandConnection(dial(socket), directory, String));
    for (let request = 0; request < 3; request++) assert.equal(String(await api.ping()), "OK");
    assert.equal(connections, 1);
    await assert.rejects(api.getService("api").inspect(), /no such thing: \/services\/api/);
  });

  it("is described in a word, since the client does so at each request", () => {
    const { modem } = dockerOver("web-1", () => new CommandConnection(["cat"], directory, String)) as unknown as {
      readonly modem: { readonly agent: object };
    };
    assert.equal(inspect(modem.agent, { showHidden: true, depth: null }), "connections to web-1");
  });

  it("carries more than a pipe holds in both directions", async () => {
    const connection = new CommandConnection(["cat"], directory, String);
    const sent = Buffer.alloc(3_000_000, "0123456789");
    connection.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of connection) received.push(chunk as Buffer);
    assert.ok(Buffer.concat(received).equals(sent));
  });

  it("fails with what the command said, whether it ended before or while it was asked", async () => {
    for (const script of [
      "echo 'Connection refused' >&2; exit 255",
      "read line; echo 'Connection refused' >&2; exit 255",
    ]) {
      const failing = (): CommandConnection =>
        new CommandConnection(["sh", "-c", script], directory, (said) => `host web-1: got "${said}"`);
      await assert.rejects(dockerOver("web-1", failing).ping(), { message: 'host web-1: got "Connection refused"' });
    }
  });

  it("says when the command cannot be started", async () => {
    const missing = (): CommandConnection =>
      new CommandConnection([join(directory, "no-ssh")], directory, (said) => `host web-1: got "${said}"`);
    await assert.rejects(dockerOver("web-1", missing).ping(), /^Error: host web-1: got "spawn .*no-ssh ENOENT"$/);
  });

  it("ends the command when the connection is destroyed", async () => {
    const connection = new CommandConnection(["sh", "-c", "echo $$; exec sleep 600"], directory, String);
    const [pid] = (await once(connection, "data")) as [Buffer];
    connection.destroy();
    await once(connection, "close");
    const alive = (): boolean => {
      try {
        return process.kill(Number(String(pid)), 0);
      } catch {
        return false;
      }
    };
    const deadline = Date.now() + 5000;
    while (alive() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(alive(), false);
  });

  it("names the host and a command to try when ssh fails", async () => {
    await assert.rejects(dockerApi("production", "web-1", directory).ping(), (error: Error) => {
      assert.match(error.message, /^host web-1: its Docker cannot be reached, got "Can't open user config file/);
      assert.match(error.message, /try `ssh -F \.berth\/production\/ssh_config web-1 docker version`$/);
      return true;
    });
  });
});
