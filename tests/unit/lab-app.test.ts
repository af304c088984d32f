import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import { freePorts } from "../../lab/state.ts";

const main = join(import.meta.dirname, "../../lab/app/src/main.ts");

/** The application as a process of its own, as its image starts it. */
class App {
  readonly port: number;
  readonly process: ChildProcess;
  readonly log: string[] = [];

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.process = child;
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => this.log.push(...chunk.trim().split("\n")));
  }

  static async start(role: string, env: Record<string, string>, ready?: string): Promise<App> {
    const [port = 0] = await freePorts(1);
    const settings = { APP_SYSTEM: "palmistry", APP_VERSION: "1.0.0", PORT: String(port), ...env };
    const child = spawn(process.execPath, [main, role], { env: { PATH: process.env["PATH"], ...settings } });
    const app = new App(port, child);
    if (ready !== undefined) await app.says(ready);
    return app;
  }

  async says(event: string): Promise<void> {
    while (!this.log.some((line) => line.includes(event))) {
      assert.equal(this.process.exitCode, null, `ended early: ${this.log.join("\n")}`);
      await once(this.process.stdout!, "data");
    }
  }

  async ask(path: string, agent?: Agent) {
    const request = get({ port: this.port, path, agent: agent ?? false });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  }

  async exitCode(): Promise<number | null> {
    if (this.process.exitCode === null) await once(this.process, "exit");
    return this.process.exitCode;
  }
}

const running: App[] = [];
async function start(...args: Parameters<typeof App.start>): Promise<App> {
  const app = await App.start(...args);
  running.push(app);
  return app;
}
afterEach(() => {
  for (const app of running.splice(0)) app.process.kill("SIGKILL");
});

describe("sample application", () => {
  it("tells its version, health and page on the paths that the edge passes on", async () => {
    const app = await start("web", {}, "listening");
    const answers = await Promise.all(
      ["/version", "/api/version", "/health", "/api/health", "/ready", "/nothing"].map((path) => app.ask(path)),
    );
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.trim()]),
      [
        [200, "1.0.0"],
        [200, "1.0.0"],
        [200, "ok"],
        [200, "ok"],
        [200, "ready"],
        [404, "/nothing: not found"],
      ],
    );
    assert.match((await app.ask("/")).body, /palmistry.*1\.0\.0/s);
    assert.match((await app.ask("/metrics")).body, /^http_requests_total \d+$/m);
  });

  it("shows which secrets it was handed, but not their text", async () => {
    const directory = await mkdtemp(join(tmpdir(), "berth-app-"));
    await writeFile(join(directory, "key"), "top secret");
    const app = await start("web", { API_KEY_FILE: join(directory, "key"), GONE_FILE: "/nowhere" }, "listening");
    const { body } = await app.ask("/env-check");
    await rm(directory, { recursive: true });
    assert.deepEqual(JSON.parse(body), [
      { name: "API_KEY", length: 10 },
      { name: "GONE", length: "ENOENT" },
    ]);
  });

  it("starts and is never healthy at a broken version", async () => {
    const app = await start("web", { APP_VERSION: "1.2.0-broken" }, "listening");
    assert.equal((await app.ask("/health")).status, 503);
    assert.equal((await app.ask("/version")).body, "1.2.0-broken");
  });

  it("ends with 1 and a last word soon after it started at a crashing version", async () => {
    const app = await start("web", { APP_VERSION: "1.3.0-crash" }, "listening");
    assert.equal((await app.ask("/health")).status, 503, "nobody takes it for healthy before");
    assert.equal(await app.exitCode(), 1);
    assert.match(app.log.at(-1) ?? "", /fatal: settings of this release cannot be read/);
  });

  it("finishes requests, closes kept-alive connections and ends with 0 when it is stopped", async () => {
    const app = await start("web", { LAME_DUCK_SECONDS: "0.3" }, "listening");
    const agent = new Agent({ keepAlive: true });
    assert.equal((await app.ask("/version", agent)).headers.connection, "keep-alive");
    const slow = app.ask("/slow?ms=600");
    app.process.kill("SIGTERM");
    await app.says("draining");
    const late = await app.ask("/version", agent);
    assert.deepEqual([late.status, late.headers.connection], [200, "close"]);
    assert.equal((await slow).body, "done\n");
    assert.equal(await app.exitCode(), 0);
  });

  it("ends at once when it was never healthy, for no edge sends anybody to it", async () => {
    const settings = { APP_VERSION: "1.2.0-broken", LAME_DUCK_SECONDS: "60", DRAIN_SECONDS: "120" };
    const app = await start("web", settings, "listening");
    app.process.kill("SIGTERM");
    assert.equal(await app.exitCode(), 0);
  });

  it("does not wait for a connection that never carried a request", async () => {
    const app = await start("web", { LAME_DUCK_SECONDS: "0.1", DRAIN_SECONDS: "5" }, "listening");
    const unused = connect(app.port);
    await once(unused, "connect");
    // Answered on another connection, after which the application knows of the first.
    await app.ask("/version");
    app.process.kill("SIGTERM");
    await app.says('"how":"drained"');
    assert.equal(await app.exitCode(), 0);
    unused.destroy();
  });

  it("sends a long answer in parts, and cuts it when the time to drain is over", async () => {
    const app = await start("web", { LAME_DUCK_SECONDS: "0.1", DRAIN_SECONDS: "0.2" }, "listening");
    assert.equal((await app.ask("/api/stream?ms=100")).body, ".\ndone\n");
    const [response] = (await once(get({ port: app.port, path: "/stream?ms=60000" }), "response")) as [IncomingMessage];
    const cut = assert.rejects(text(response), { code: "ECONNRESET" });
    app.process.kill("SIGTERM");
    await cut;
    assert.equal(await app.exitCode(), 0);
  });

  it("asks WebSockets to reconnect, goes on serving them, and closes the last with 1012", async () => {
    const app = await start("web", { LAME_DUCK_SECONDS: "0.1", DRAIN_SECONDS: "0.5" }, "listening");
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/api/ws`);
    const messages: string[] = [];
    socket.on("message", (data: Buffer) => messages.push(data.toString()));
    const event = async (name: string) => {
      while (!messages.some((each) => each.includes(name))) await once(socket, "message");
    };
    await event("hello");
    app.process.kill("SIGTERM");
    await event("reconnect");
    socket.send("still there?");
    const closed = once(socket, "close");
    await event("still there?");
    assert.equal((await closed)[0], 1012);
    assert.equal(await app.exitCode(), 0);
  });

  it("takes jobs from the queue and finishes the one in hand when it is stopped", async () => {
    const queue = await startQueue(["300"]);
    const { port } = queue.address() as AddressInfo;
    const app = await start("worker", { REDIS_URL: `redis://:pass@127.0.0.1:${port}/1` }, "working");
    while ((await app.ask("/health")).status !== 200);
    app.process.kill("SIGTERM");
    assert.equal(await app.exitCode(), 0);
    const events = app.log.map((line) => (JSON.parse(line) as { event: string }).event);
    assert.deepEqual(events, ["working", "draining", "job done", "stopped"]);
    queue.close();
  });

  it("fails a migration that has no database", async () => {
    const app = await start("migrate", {});
    assert.equal(await app.exitCode(), 1);
    assert.match(app.log[0] ?? "", /DATABASE_URL: not set/);
  });
});

/** Answers as a Redis does that wants a password and holds some jobs. */
async function startQueue(jobs: string[]): Promise<Server> {
  const server = createServer((socket) => {
    socket
      .on("error", () => undefined)
      .on("data", (chunk) => {
        const command = chunk.toString();
        if (!command.includes("BLPOP")) socket.write("+OK\r\n");
        else {
          const job = jobs.shift();
          if (job !== undefined) socket.write(`*2\r\n$4\r\njobs\r\n$${job.length}\r\n${job}\r\n`);
          else setTimeout(() => socket.write("*-1\r\n"), 50);
        }
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
