import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { startSockets } from "../support/load.ts";
import { maintained, sites } from "../support/edge-sites.ts";
import { TestEdge, visit, visitPlain } from "./edge-host.ts";

const host = "shop.test";

/** What an application sees of a request. */
interface Seen {
  readonly service: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

describe("routes of the edge", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    await Promise.all([edge.mirror("shop-api"), edge.mirror("shop-web"), edge.task("shop-app")]);
    await edge.must(edge.runtime());
    const headers = { "X-Price": '$5 "net"' };
    const routes = [
      { path: "/api", service: "api", bodySize: "2 KB" },
      { path: "/api/v2/", service: "web", stripPrefix: true },
      { path: "/limited", service: "api", limit: "few" },
      { path: "/slow", service: "app", timeout: "1 second" },
      { path: "/ws", service: "app", websocket: true },
      { path: "/one", service: "app", limit: "one" },
      { path: "/assets", service: "web", cache: "hashed" },
      { path: "/pages", service: "web", cache: "revalidate" },
      { path: "/", service: "web" },
    ] as const;
    const redirects = [
      { path: "/old.d", to: "/new", status: 308 },
      { path: "/gone", to: "https://archive.test/", keep: false, status: 302 },
    ] as const;
    const cors = { origins: ["https://app.test"], credentials: true };
    const limits = { few: { rate: "1 r/m", burst: 2 }, one: { connections: 1, burst: 0 } } as const;
    const input = sites(
      "shop",
      { api: 8000, web: 8000, app: 8000 },
      [
        { host, headers, cors, redirects: [...redirects], routes: [...routes] },
        { host: "www.shop.test", redirects: [{ to: "https://shop.test" }] },
        { host: "api.shop.test", routes: [{ path: "/api", service: "api" }] },
      ],
      limits,
    );
    await edge.must(edge.site(input, "10 seconds"));
  });
  after(() => edge.stop());

  async function see(path: string, headers: Record<string, string> = {}): Promise<Seen> {
    const { status, body } = await visit(edge, host, path, { headers });
    assert.equal(status, 200, body);
    return JSON.parse(body) as Seen;
  }

  it("lead by the longest prefix of whole segments", async () => {
    const led = async (path: string) => {
      const { service, url } = await see(path);
      return `${service} ${url}`;
    };
    assert.equal(await led("/api"), "shop-api /api");
    assert.equal(await led("/api/a%2Fb?c=d"), "shop-api /api/a%2Fb?c=d");
    assert.equal(await led("/apinot"), "shop-web /apinot");
    assert.equal(await led("/api/v2/users?x=1"), "shop-web /users?x=1");
    assert.equal(await led("/api/v2"), "shop-web /");
    assert.equal(await led("/api/v20"), "shop-api /api/v20");
    assert.equal(await led("/elsewhere"), "shop-web /elsewhere");
  });

  it("tell the application who asked, and how", async () => {
    const { headers } = await see("/", { "x-forwarded-for": "198.51.100.7", "x-real-ip": "198.51.100.7" });
    assert.equal(headers["host"], host);
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.match(headers["x-forwarded-for"] ?? "", /^198\.51\.100\.7, \d+\.\d+\.\d+\.\d+$/);
    assert.match(headers["x-real-ip"] ?? "", /^(?!198\.51)\d+\.\d+\.\d+\.\d+$/, "a visitor cannot say it");
    assert.match(headers["x-request-id"] ?? "", /^[0-9a-f]{32}$/);
    assert.equal(headers["upgrade"], undefined);
  });

  it("send the site's headers with every answer and once, whatever the application sends", async () => {
    const fromApplication = await visit(edge, host, "/?header=X-Frame-Options:SAMEORIGIN");
    assert.equal(fromApplication.headers["x-frame-options"], "DENY");
    assert.equal(fromApplication.headers["x-price"], '$5 "net"');
    const tooLarge = await visit(edge, host, "/api", { method: "POST", body: randomBytes(2049).toString("latin1") });
    assert.deepEqual([tooLarge.status, tooLarge.headers["x-frame-options"]], [413, "DENY"]);
    const late = await visit(edge, host, "/slow?ms=5000");
    assert.deepEqual([late.status, late.headers["x-frame-options"]], [504, "DENY"]);
  });

  it("take bodies up to their size", async () => {
    const { status } = await visit(edge, host, "/api", { method: "POST", body: "x".repeat(2048) });
    assert.equal(status, 200);
  });

  it("answer 429 above a limit and say when to come back", async () => {
    const answers = [];
    for (let request = 0; request < 4; request++) answers.push(await visit(edge, host, "/limited"));
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers["retry-after"]]),
      [
        [200, undefined],
        [200, undefined],
        [200, undefined],
        [429, "60"],
      ],
    );
    assert.equal(answers[3]!.headers["x-frame-options"], "DENY");
    const own = await visit(edge, host, "/?status=429&header=Retry-After:60");
    assert.deepEqual([own.status, own.headers["retry-after"]], [429, "60"], "the application's own word stays");
  });

  it("upgrade WebSockets where they are declared, and only there", async () => {
    const common = { connect: `127.0.0.1:${edge.httpsPort}`, count: 1, seconds: 10 };
    const declared = await startSockets({ ...common, url: `wss://${host}/ws` });
    const { opened, refused } = await declared.stop();
    assert.deepEqual([opened, refused], [1, []]);
    const elsewhere = await startSockets({ ...common, url: `wss://${host}/slow` });
    assert.equal((await elsewhere.stop()).opened, 0);
  });

  it("speak HTTP/2 with those that ask for it", async () => {
    const session = connect(`https://127.0.0.1:${edge.httpsPort}`, { servername: host, rejectUnauthorized: false });
    try {
      const stream = session.request({ ":path": "/api", ":authority": host });
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
      stream.resume();
      assert.deepEqual([session.alpnProtocol, headers[":status"]], ["h2", 200]);
    } finally {
      session.destroy();
    }
  });

  it("compress text, and say that they do", async () => {
    const { headers, raw } = await visit(edge, host, "/?size=5000", { headers: { "accept-encoding": "gzip" } });
    assert.deepEqual([headers["content-encoding"], headers["vary"]], ["gzip", "Accept-Encoding, Origin"]);
    assert.equal((JSON.parse(gunzipSync(raw).toString()) as Seen).service, "shop-web");
  });

  it("log each request as one line of JSON, without its query", async () => {
    const { headers } = await visit(edge, host, "/logged?token=secret", { headers: { "user-agent": 'a "b" \\ c' } });
    const name = headers["x-request-id"];
    const line = await edge.logged("the request", (text) => text.includes(`"requestId":"${String(name)}"`));
    const entry = JSON.parse(line) as Entry;
    assert.equal(entry.path, "/logged");
    assert.equal(entry.agent, 'a "b" \\ c');
    assert.deepEqual([entry.status, entry.method, entry.host, entry.upstreamStatus], [200, "GET", host, "200"]);
    assert.ok(entry.seconds >= 0 && Number(entry.upstreamSeconds) >= 0);
    assert.ok(!line.includes("token=secret"));
  });

  it("counts connections for metrics, on the edge's own networks only", async () => {
    for (const at of ["127.0.0.1", edge.name]) {
      assert.match(await edge.inside(`http://${at}:8081/berth/status`), /^Active connections: \d+/);
      assert.match(await edge.inside(`http://${at}:8081/metrics`), /^nginx_connections_active \d+\n/);
    }
    assert.equal((await visit(edge, host, "/berth/status")).body.includes("Active connections"), false);
  });

  it("answer 429 to a visitor with too many requests at a time", async () => {
    const both = await Promise.all([visit(edge, host, "/one/slow?ms=1500"), visit(edge, host, "/one/slow?ms=1500")]);
    assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 429]);
    assert.equal(both.find(({ status }) => status === 429)?.headers["retry-after"], "1");
  });

  it("lead elsewhere by their code, with what follows as it was written", async () => {
    const led = async (name: string, path: string) => {
      const { status, headers } = await visit(edge, name, path);
      return `${status} ${headers.location}`;
    };
    assert.equal(await led(host, "/old.d/a%20b%0d%0aX:y?c=d"), "308 https://shop.test/new/a%20b%0d%0aX:y?c=d");
    assert.equal(await led(host, "/old.d"), "308 https://shop.test/new");
    assert.equal(await led(host, "/gone/far?x"), "302 https://archive.test/");
    assert.equal(await led("www.shop.test", "/a%2Fb?c=d"), "301 https://shop.test/a%2Fb?c=d");
    assert.equal((await visit(edge, host, "/oldxd")).status, 200, "a dot is a dot");
    assert.equal((await visit(edge, "api.shop.test", "/")).status, 404, "nothing of nginx's own is served");
  });

  it("say how long answers are kept, but never of what sets a cookie, nor of errors", async () => {
    const kept = async (path: string) => (await visit(edge, host, path)).headers["cache-control"];
    assert.equal(await kept("/assets/a.1b2c.js?header=Cache-Control:no-cache"), "public, max-age=31536000, immutable");
    assert.equal(await kept("/assets/a.js?header=Set-Cookie:a=b"), "private, no-store");
    assert.equal(await kept("/assets/a.js?status=404"), "no-cache");
    assert.equal(await kept("/pages/"), "no-cache");
    assert.equal(await kept("/?header=Cache-Control:max-age=5"), "max-age=5", "else the application says it");
    assert.equal(await kept("/"), undefined);
  });

  it("let listed origins read answers, whatever the application says", async () => {
    const ask = (origin: string, method = "GET", more = {}) =>
      visit(edge, host, "/?header=Access-Control-Allow-Origin:*", { method, headers: { origin, ...more } });
    const own = await ask("https://app.test");
    assert.equal(own.headers["access-control-allow-origin"], "https://app.test");
    assert.equal(own.headers["access-control-allow-credentials"], "true");
    assert.match(own.headers.vary ?? "", /Origin/);
    const other = await ask("https://evil.test");
    assert.deepEqual([other.status, other.headers["access-control-allow-origin"]], [200, undefined]);
    const question = { "access-control-request-method": "PUT" };
    const before = await ask("https://app.test", "OPTIONS", question);
    assert.deepEqual(
      [before.status, before.headers["access-control-allow-methods"]],
      [204, "GET, HEAD, POST, PUT, PATCH, DELETE"],
    );
    const refused = await ask("https://evil.test", "OPTIONS", question);
    assert.deepEqual([refused.status, refused.headers["access-control-allow-methods"]], [204, undefined]);
  });

  it("keep the name of a request that has one", async () => {
    assert.equal((await see("/", { "x-request-id": "abc-12345678" })).headers["x-request-id"], "abc-12345678");
    assert.match((await see("/", { "x-request-id": "a b" })).headers["x-request-id"] ?? "", /^[0-9a-f]{32}$/);
  });

  it("compress nothing that another site made a browser ask for, nor let applications do it, but files", async () => {
    const encoding = async (asked: Record<string, string>, path = "/") => {
      const answer = await visit(edge, host, `${path}?size=5000`, { headers: { "accept-encoding": "gzip", ...asked } });
      if (answer.headers["content-encoding"] === "gzip") return "gzip";
      return (JSON.parse(answer.body) as Seen).headers["accept-encoding"] ?? "none";
    };
    const own = { referer: `https://${host}/page` };
    const foreign = { referer: `https://evil.test/?https://${host}/` };
    const cookie = { cookie: "session=1" };
    assert.equal(await encoding({ "sec-fetch-site": "cross-site" }), "none");
    assert.equal(await encoding({ "sec-fetch-site": "cross-site", ...own }), "none", "a browser's word counts more");
    assert.equal(await encoding({ "sec-fetch-site": "same-origin", ...cookie }), "gzip");
    assert.equal(await encoding({ "sec-fetch-site": "none", ...foreign }), "gzip");
    assert.equal(await encoding(foreign), "none");
    assert.equal(await encoding({ ...own, ...cookie }), "gzip");
    assert.equal(await encoding(cookie), "none", "anybody's page can hold back the Referer");
    assert.equal(await encoding({}), "gzip");
    assert.equal(await encoding({ "sec-fetch-site": "cross-site", ...cookie }, "/assets/a.1b2c.js"), "gzip");
  });

  it("compress with brotli for those that take it", async () => {
    const { headers, raw } = await visit(edge, host, "/?size=5000", { headers: { "accept-encoding": "gzip, br" } });
    assert.equal(headers["content-encoding"], "br");
    assert.equal((JSON.parse(brotliDecompressSync(raw).toString()) as Seen).service, "shop-web");
  });

  it("answer for the edge's health without TLS, to its own host", async () => {
    const { status, body } = await visitPlain(edge, "localhost", "/health");
    assert.deepEqual([status, body], [200, "ok\n"]);
    await assert.rejects(visitPlain(edge, "shop.invalid", "/health"), /socket hang up|ECONNRESET/);
  });

  it("make visitors wait during maintenance, and let operators through", async () => {
    const away = await edge.site(maintained([]), "10 seconds");
    assert.equal(away.code, 0, away.output);
    const { status, headers, body } = await visit(edge, host, "/pay/now");
    assert.deepEqual([status, headers["retry-after"], headers["x-frame-options"]], [503, "600", "DENY"]);
    assert.match(body, /Back at 5 &lt;b> &amp; "\$" later/);
    assert.equal((await visit(edge, host, "/")).status, 200, "another route is served");
    await edge.must(edge.site(maintained(["0.0.0.0/0"]), "10 seconds"));
    assert.equal((await visit(edge, host, "/pay/now")).status, 200);
  });
});

interface Entry {
  readonly requestId: string;
  readonly path: string;
  readonly agent: string;
  readonly status: number;
  readonly method: string;
  readonly host: string;
  readonly seconds: number;
  readonly upstreamStatus: string;
  readonly upstreamSeconds: string;
}
