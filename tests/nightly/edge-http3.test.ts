import assert from "node:assert/strict";
import { sites } from "../support/edge-sites.ts";
import { overHttp3 } from "../support/scanners.ts";
import { TestEdge, visit } from "../lab/edge-host.ts";

const host = "shop.test";

describe("HTTP/3", function () {
  this.timeout(300_000);
  let edge: TestEdge;

  beforeEach(async () => {
    edge = await TestEdge.start();
    await edge.mirror("shop-api");
  });
  afterEach(() => edge.stop());

  const shop = (http3: boolean, headers: Record<string, string> = {}) => ({
    ...sites("shop", { api: 8000 }, [{ host, headers, routes: [{ path: "/", service: "api" }] }]),
    http3,
  });

  it("is spoken where it is switched on, and told to those who come over TCP", async () => {
    edge.http3 = true;
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(true), "10 seconds"));
    assert.equal((await visit(edge, host, "/")).headers["alt-svc"], 'h3=":443"; ma=86400');
    const [answer] = await overHttp3(edge, host);
    assert.equal(answer?.status, 200, answer?.failed);
    assert.equal(answer.headers?.["x-frame-options"], "DENY");
    const seen = JSON.parse(answer.body ?? "") as { headers: Record<string, string> };
    assert.equal(seen.headers["host"], host);
    await edge.logged("the request", (line) => line.includes('"protocol":"HTTP/3.0"'));
  });

  it("goes on over changes of routes and of nginx: whoever loses a connection finds the next one at once", async () => {
    edge.http3 = true;
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(true), "10 seconds"));
    const answers = await overHttp3(edge, host, async () => {
      await edge.must(edge.site(shop(true, { "X-Route": "two" }), "10 seconds"));
      await edge.must(edge.runtime(await edge.otherImage("next")));
    });
    const failed = answers.filter((answer) => answer.failed !== undefined);
    assert.ok(answers.length > 50, String(answers.length));
    assert.ok(answers.every(({ status }) => status === undefined || status === 200));
    assert.ok(failed.length <= 4, `${failed.length} of ${answers.length} failed: ${JSON.stringify(failed)}`);
  });

  it("is refused on a host without its port, until that is opened", async () => {
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(false), "10 seconds"));
    assert.equal((await visit(edge, host, "/")).headers["alt-svc"], undefined);
    edge.http3 = true;
    const { code, output } = await edge.runtime();
    assert.notEqual(code, 0);
    assert.match(
      output,
      /berth:firewall\.http3 is true, and this host's edge was set up without UDP port 443; run `.*\/bin\/edge reopen`/,
    );
    assert.equal((await visit(edge, host, "/")).status, 200, "nothing else happened");
    await edge.must(edge.edge(["reopen"]));
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(true), "10 seconds"));
    const [answer] = await overHttp3(edge, host);
    assert.equal(answer?.status, 200, answer?.failed);
  });

  it("is refused where nginx does not speak it", async () => {
    edge.http3 = true;
    const { code, output } = await edge.runtime(edge.application);
    assert.notEqual(code, 0);
    assert.match(output, /berth:firewall\.http3 is true, and nginx of .* does not speak HTTP\/3; pin an edge image/);
    assert.deepEqual(await edge.objects(), []);
  });
});
