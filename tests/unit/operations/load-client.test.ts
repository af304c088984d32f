import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { httpLoad, type HttpLoadOptions } from "../../support/load/http.ts";
import { socketLoad } from "../../support/load/sockets.ts";
import { Tally } from "../../support/load/tally.ts";
import { startLoad, startSockets, switchOverMs } from "../../support/load.ts";
import { until } from "../../support/until.ts";

describe("the load client", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const load = async (connect: string, options: Partial<HttpLoadOptions>) =>
    httpLoad({ url: "http://a.test/", connect, seconds: 5, ...options });

  it("counts a request on a connection that is reset as lost, and does not send it again", async () => {
    let received = 0;
    // Every connection answers once; the request after that finds it reset.
    const connect = await serve((request, response) => {
      received++;
      const { socket } = request as { socket: { answered?: boolean; resetAndDestroy(): void } };
      if (socket.answered === true) socket.resetAndDestroy();
      else response.end("1.0.0");
      socket.answered = true;
    });
    const result = await load(connect, { concurrency: 1, requests: 40 });
    assert.equal(received, 40);
    assert.deepEqual([result.requests, result.ok, result.failed], [40, 20, 20]);
    assert.deepEqual(result.reasons, { ECONNRESET: 20 });
  });

  it("counts other answers than 200, cut answers, silence and refused connections as failures", async () => {
    const connect = await serve((request, response) => {
      const path = request.url ?? "";
      if (path === "/502") response.writeHead(502).end("bad gateway");
      else if (path === "/cut")
        response.writeHead(200, { "content-length": "10" }).write("12345", () => request.socket.destroy());
    });
    const reasons = async (path: string, to = connect) =>
      Object.keys(
        (await load(to, { url: `http://a.test${path}`, concurrency: 1, requests: 2, timeoutMs: 100 })).reasons,
      );
    assert.deepEqual(await reasons("/502"), ["status 502"]);
    assert.deepEqual(await reasons("/cut"), ["cut within the answer: ECONNRESET"]);
    assert.deepEqual(await reasons("/silent"), ["no answer within 100 ms"]);
    assert.deepEqual(await reasons("/", "127.0.0.1:1"), ["ECONNREFUSED"]);
  });

  it("keeps connections, or opens one for each request", async () => {
    const connect = await serve((_, response) => response.end("1.0.0"));
    const kept = await load(connect, { concurrency: 4, requests: 100 });
    const fresh = await load(connect, { concurrency: 4, requests: 100, keepAlive: false });
    assert.deepEqual([kept.ok, kept.connections, fresh.ok, fresh.connections], [100, 4, 100, 100]);
  });

  it("sends at a steady rate, however slowly it is answered", async () => {
    let waiting = 0;
    let most = 0;
    const connect = await serve((_, response) => {
      most = Math.max(most, ++waiting);
      setTimeout(() => {
        waiting--;
        response.end("1.0.0");
      }, 200);
    });
    const result = await load(connect, { rate: 100, seconds: 1, connections: 100 });
    assert.ok(result.requests >= 90 && result.requests <= 100, `${result.requests} requests`);
    assert.ok(most >= 10, `${most} at once`);
    assert.ok(result.latency.p50 >= 195 && result.latency.p50 < 400, `median ${result.latency.p50} ms`);
  });

  it("tells that long answers have begun before any has ended", async () => {
    const waiting: ServerResponse[] = [];
    const connect = await serve((_, response) => {
      response.write("a first part");
      waiting.push(response);
    });
    const running = await startLoad({
      url: "http://a.test/",
      connect,
      concurrency: 3,
      connections: 3,
      requests: 3,
      seconds: 10,
    });
    await until("all three have begun", 5_000, () => (running.progress()?.begun === 3 ? true : undefined));
    assert.equal(running.progress()?.ok, 0);
    const [cut, ...others] = waiting;
    for (const response of others) response.end();
    cut?.destroy();
    const { ok, reasons } = await running.done;
    assert.deepEqual([ok, reasons], [2, { "cut within the answer: ECONNRESET": 1 }]);
  });

  it("asks for the URL's host, wherever it dials", async () => {
    const connect = await serve((request, response) => response.end(request.headers.host));
    assert.deepEqual(Object.keys((await load(connect, { concurrency: 1, requests: 1 })).bodies), ["a.test"]);
  });

  it("tells how long the old and the new answer were mixed", async () => {
    let version = "1.0.0";
    const connect = await serve((_, response) => response.end(version));
    const running = await startLoad({ url: "http://a.test/", connect, rate: 200, seconds: 10 });
    const seen = async (body: string) => {
      while (running.progress()?.bodies[body] === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await seen("1.0.0");
    version = "1.1.0";
    await seen("1.1.0");
    const result = await running.stop();
    assert.equal(result.failed, 0);
    const mixed = switchOverMs(result, "1.0.0", "1.1.0");
    assert.ok(mixed !== undefined && mixed < 50, `mixed for ${mixed ?? "?"} ms`);
  });

  it("reports WebSockets that were cut, and when, but not those it closed itself", async () => {
    const connect = await serve((_, response) => response.end());
    const sockets = new WebSocketServer({ server: servers[0]! });
    const options = { url: "ws://a.test/", connect, count: 5, seconds: 10, pingMs: 20 };
    const running = await startSockets(options);
    const cutAt = Date.now();
    const [one, two] = [...sockets.clients];
    one!.close(1001, "going away");
    two!.terminate();
    const result = await socketLoad({ ...options, seconds: 0.2 }).then(async () => running.stop());
    assert.deepEqual([result.opened, result.cut.map(({ reason }) => reason).sort()], [5, ["1001 going away", "1006"]]);
    assert.ok(result.cut.every(({ at }) => at - cutAt < 1000));
  });
});

describe("the tally of a load client", () => {
  it("gives percentiles within one per cent", () => {
    const tally = new Tally();
    for (let ms = 1; ms <= 1000; ms++) tally.answered("x", ms);
    const { p50, p99, max } = tally.result().latency;
    assert.ok(Math.abs(p50 - 500) <= 5 && Math.abs(p99 - 990) <= 10, `${p50} ${p99}`);
    assert.equal(max, 1000);
  });

  it("takes the time from the first new answer to the last old one", () => {
    const tally = new Tally();
    for (const [body, at] of [
      ["1.0.0", 1000],
      ["1.1.0", 2000],
      ["1.0.0", 2700],
      ["1.1.0", 3000],
    ] as const)
      tally.answered(body, 1, at);
    assert.equal(switchOverMs(tally.result(), "1.0.0", "1.1.0"), 700);
    assert.equal(switchOverMs(tally.result(), "1.0.0", "2.0.0"), undefined);
  });

  it("finds the longest time without a good answer, also one that lasts", () => {
    const tally = new Tally();
    for (const at of [1000, 1100, 3000, 3200]) tally.answered("x", 1, at);
    tally.missed("ECONNREFUSED", 2000);
    assert.equal(tally.result(3300).darkMs, 1900);
    assert.equal(tally.result(6000).darkMs, 2800);
  });

  it("stays small however many bodies and failures there are", () => {
    const tally = new Tally();
    for (let index = 0; index < 1000; index++) {
      tally.answered(`body ${index}`, 1);
      tally.missed("ECONNRESET");
    }
    const { bodies, failures, ok, failed } = tally.result();
    assert.ok(Object.keys(bodies).length <= 51);
    assert.deepEqual([failures.length, ok, failed], [50, 1000, 1000]);
  });
});
