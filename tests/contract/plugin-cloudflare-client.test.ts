import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Client } from "../../lab/plugins/cloudflare/client.ts";
import { connect } from "../../lab/plugins/cloudflare/config.ts";

type Reply = (response: ServerResponse) => void;

describe("the cloudflare stand-in: client", () => {
  let server: Server;
  let baseUrl: string;
  let replies: Reply[];
  let asked: string[];
  let waits: number[];
  let warnings: string[];
  before(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method ?? ""} ${request.url ?? ""} ${request.headers.authorization ?? ""}`);
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      reply?.(response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`;
  });
  after(() => server.close());
  beforeEach(() => {
    [replies, asked, waits, warnings] = [[], [], [], []];
  });

  const status =
    (code: number, headers: Record<string, string> = {}, body: unknown = { errors: [] }): Reply =>
    (response) =>
      response.writeHead(code, headers).end(JSON.stringify(body));
  const good = status(200, {}, { result: { id: "1" }, success: true });
  const call = (signal = new AbortController().signal) => {
    const wait = (milliseconds: number) => {
      waits.push(milliseconds);
      return Promise.resolve();
    };
    const client = new Client(baseUrl, "secret-token", wait);
    return client.call(
      { method: "GET", path: "zones/z" },
      { signal, log: (severity, message) => warnings.push(`${severity}: ${message}`) },
    );
  };

  it("calls below the base URL with the token and gives the result", async () => {
    replies = [good];
    assert.deepEqual(await call(), { id: "1" });
    assert.deepEqual(asked, ["GET /client/v4/zones/z Bearer secret-token"]);
  });

  for (const code of [408, 409, 429, 500, 503])
    it(`tries again after ${code}, waiting longer each time, and says so`, async () => {
      replies = [status(code), status(code), status(code), good];
      assert.deepEqual(await call(), { id: "1" });
      assert.equal(waits.length, 3);
      for (const [index, most] of [2_000, 4_000, 8_000].entries())
        assert.ok(waits[index]! <= most && waits[index]! >= most * 0.75, String(waits));
      assert.match(warnings[0]!, /^warning: .*GET ".*zones\/z": \d+ .*; trying again in [\d.]+ s \(1 of 10\)$/);
    });

  for (const code of [400, 401, 403, 404])
    it(`does not try again after ${code}`, async () => {
      replies = [status(code)];
      await assert.rejects(call(), { status: code });
      assert.equal(asked.length, 1);
    });

  it("gives up after ten more tries, never waiting more than 30 s", async () => {
    replies = [status(500, {}, { errors: [{ code: 1016, message: "An unknown error has occurred" }] })];
    await assert.rejects(call(), /500 Internal Server Error .*1016.*An unknown error has occurred/);
    assert.equal(asked.length, 11);
    assert.ok(Math.max(...waits) <= 30_000);
  });

  it("waits as long as the server asks, unless that is a minute or more", async () => {
    const in9seconds = new Date(Date.now() + 9_000).toUTCString();
    replies = [
      status(429, { "retry-after": "7" }),
      status(429, { "retry-after-ms": "250", "retry-after": "7" }),
      status(429, { "retry-after": in9seconds }),
      status(429, { "retry-after": "300" }),
      good,
    ];
    await call();
    assert.deepEqual(waits.slice(0, 2), [7_000, 250]);
    assert.ok(waits[2]! > 7_000 && waits[2]! <= 9_000, String(waits[2]));
    assert.ok(waits[3]! <= 16_000, String(waits[3]));
  });

  it("follows x-should-retry before the status", async () => {
    replies = [status(500, { "x-should-retry": "false" })];
    await assert.rejects(call(), { status: 500 });
    replies = [status(403, { "x-should-retry": "true" }), good];
    assert.deepEqual(await call(), { id: "1" });
  });

  it("tries again when the connection breaks, and names the cause in the end", async () => {
    replies = [(response) => void response.destroy(), good];
    assert.deepEqual(await call(), { id: "1" });
    replies = [(response) => void response.destroy()];
    await assert.rejects(call(), /^Error: failed to make http request: GET "http.*zones\/z": /);
    assert.equal(asked.length, 2 + 11);
  });

  it("stops at once when the engine cancels", async () => {
    const cancelled = new AbortController();
    replies = [
      () => {
        cancelled.abort();
      },
    ];
    await assert.rejects(call(cancelled.signal), /abort/i);
    assert.deepEqual([asked.length, waits.length], [1, 0]);
  });

  it("names the call and repeats the API when the token is refused, and says nothing of the token", async () => {
    replies = [status(403, {}, { errors: [{ code: 10_000, message: "Authentication error" }] })];
    await assert.rejects(call(), (error: Error) => {
      assert.match(error.message, /GET "http:.*\/client\/v4\/zones\/z": 403 Forbidden .*10000.*Authentication error/);
      assert.doesNotMatch(error.message, /secret-token/);
      return true;
    });
  });
});

describe("the cloudflare stand-in: provider arguments", () => {
  const token = "0123456789abcdefghijABCDEFGHIJ_-01234567";

  it("takes address and token from arguments or environment", () => {
    assert.ok(connect({ apiToken: token, baseUrl: "http://127.0.0.1:1/client/v4" }, {}) instanceof Client);
    const environment = { CLOUDFLARE_BASE_URL: "http://127.0.0.1:1/client/v4", CLOUDFLARE_API_TOKEN: token };
    assert.ok(connect({}, environment) instanceof Client);
  });

  for (const [title, values, message] of [
    ["a short token", { apiToken: token.slice(1) }, /^Error: apiToken: API tokens must be 40 to 80 characters/],
    ["a token with a blank", { apiToken: `${token} x` }, /^Error: apiToken: API tokens must be/],
    ["keys of the old kind", { apiKey: "k", email: "e" }, /^Error: apiKey: .*takes API tokens only; use apiToken/],
    ["no address", { apiToken: token }, /^Error: baseUrl: missing.*never calls the real Cloudflare/],
    ["a bad address", { apiToken: token, baseUrl: "lab" }, /^Error: baseUrl: not a URL, got "lab"/],
  ] as const)
    it(`rejects ${title}, without repeating a token`, () => {
      assert.throws(
        () => connect(values, {}),
        (error: Error) => {
          assert.match(String(error), message);
          assert.ok(!error.message.includes(token.slice(1)));
          return true;
        },
      );
    });
});
