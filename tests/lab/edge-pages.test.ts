import assert from "node:assert/strict";
import { sites } from "../support/edge-sites.ts";
import { TestEdge, visit, type Answer } from "./edge-host.ts";

const host = "shop.test";

describe("error pages of the edge", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    await edge.mirror("shop-api");
    await edge.must(edge.runtime());
    const input = sites(
      "shop",
      { api: 8000, away: 8000 },
      [
        {
          host,
          errorPages: {
            "404": { title: 'No "such" page', message: "Costs $5 & <more>" },
            "413": { title: "Too large" },
            "502": { title: "Away", message: "Back soon" },
            "503": { title: "Busy" },
          },
          routes: [
            { path: "/", service: "api", bodySize: "1 KB", cache: "hashed" },
            { path: "/all", service: "api", interceptErrors: true },
            { path: "/away", service: "away" },
            {
              path: "/v1",
              service: "api",
              limit: "one",
              errorPages: { "429": { title: "slow_down", message: 'One "call" a minute', format: "json" } },
            },
            { path: "/v1/away", service: "away", errorPages: { "429": { title: "slow_down", format: "json" } } },
          ],
        },
        { host: "plain.shop.test", routes: [{ path: "/away", service: "away" }] },
      ],
      { one: { rate: "1 r/m", burst: 0 } },
    );
    await edge.must(edge.site(input, "10 seconds"));
  });
  after(() => edge.stop());

  /** The page with its status, all headers of the site, and the name under which the log has the request. */
  function isPage({ status, headers, body }: Answer, code: number, heading: string): void {
    assert.equal(status, code, body);
    assert.ok(body.includes(`<h1>${heading}</h1>`), body);
    assert.ok(body.includes(`Request ${headers["x-request-id"] as string}<`), body);
    assert.equal(headers["content-type"], "text/html");
    assert.match(headers["strict-transport-security"] ?? "", /max-age=/);
    assert.match(String(headers["content-security-policy"]), /default-src 'self'/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  }

  it("are shown for errors of its own, by the site, with all of its headers", async () => {
    const large = await visit(edge, host, "/", { method: "POST", body: "x".repeat(2000) });
    isPage(large, 413, "Too large");
    assert.equal(large.headers["cache-control"], undefined, "an error is not kept for a year");
    isPage(await visit(edge, host, "/away/now"), 502, "Away");
    assert.match((await visit(edge, "plain.shop.test", "/away")).body, /<center>nginx/, "another site has its own");
  });

  it("leave applications their own words, unless a route says otherwise", async () => {
    assert.match((await visit(edge, host, "/?status=404")).body, /"service":"shop-api"/);
    const instead = await visit(edge, host, "/all?status=404");
    isPage(instead, 404, 'No "such" page');
    assert.ok(instead.body.includes("<p>Costs $5 &amp; &lt;more></p>"), instead.body);
    assert.match((await visit(edge, host, "/all?status=403")).body, /"service":"shop-api"/, "it has no page");
  });

  it("say when to come back, as the application said it", async () => {
    for (const path of ["/", "/all"]) {
      const busy = await visit(edge, host, `${path}?status=503&header=Retry-After:120`);
      assert.deepEqual([busy.status, busy.headers["retry-after"]], [503, "120"], path);
    }
  });

  it("are a route's own before they are the site's, and objects for programs", async () => {
    await visit(edge, host, "/v1");
    const { status, headers, body } = await visit(edge, host, "/v1");
    assert.deepEqual([status, headers["content-type"], headers["retry-after"]], [429, "application/json", "60"]);
    const requestId = headers["x-request-id"];
    assert.deepEqual(JSON.parse(body), { error: "slow_down", message: 'One "call" a minute', requestId });
    isPage(await visit(edge, host, "/v1/away"), 502, "Away");
  });
});
