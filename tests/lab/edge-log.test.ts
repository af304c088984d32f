import assert from "node:assert/strict";
import type { LoadResult } from "../support/load.ts";
import { startLoad } from "../support/load.ts";
import { sites } from "../support/edge-sites.ts";
import { until } from "../support/until.ts";
import { TestEdge, visit } from "./edge-host.ts";

const host = "shop.test";
const drain = "5 seconds";

interface Entry {
  readonly requestId: string;
  readonly path: string;
}

describe("the access log of the edge", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  const shop = (change: string) => {
    const routes = [
      { path: "/", service: "api" },
      { path: "/quiet", service: "api", accessLog: false },
    ];
    return sites("shop", { api: 8000 }, [{ host, headers: { "X-Change": change }, routes }]);
  };

  beforeEach(async () => {
    edge = await TestEdge.start();
    await edge.mirror("shop-api");
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop("none"), drain));
  });
  afterEach(() => edge.stop());

  /** Asks again and again on many connections, which the workers share. */
  const load = (path: string) =>
    startLoad({
      ...{ url: `https://${host}${path}`, connect: `127.0.0.1:${edge.httpsPort}` },
      ...{ concurrency: 32, requests: 12_000, seconds: 60 },
    });

  /** All that a generation has to say: it is asked to end, and has ended. */
  async function said(number: number): Promise<Entry[]> {
    const container = edge.container(`-${number}`);
    await container.kill({ signal: "QUIT" }).catch(() => undefined);
    await until(`generation ${number} has ended`, 30_000, async () =>
      (await container.inspect()).State.Running ? undefined : true,
    );
    const lines = (await edge.log(number)).filter((line) => line.includes("requestId"));
    return lines.map((line) => JSON.parse(line) as Entry);
  }

  /** Each request has a line, and none has two. */
  function complete(entries: readonly Entry[], { requests, failed, reasons }: LoadResult): void {
    assert.equal(failed, 0, JSON.stringify(reasons));
    assert.equal(entries.length, requests);
    assert.equal(new Set(entries.map(({ requestId }) => requestId)).size, requests);
  }

  it("has each request in a line of its own, however many workers write at a time", async () => {
    const path = `/${"long".repeat(200)}`;
    const result = await (await load(path)).done;
    const entries = await said(1);
    complete(entries, result);
    assert.ok(entries.every((entry) => entry.path === path));
  });

  it("loses no line when nginx reloads, opens its files anew, or ends", async () => {
    const running = await load("/");
    await edge.must(edge.site(shop("reloaded"), drain));
    await edge.container("-1").kill({ signal: "USR1" });
    await edge.must(edge.runtime(await edge.otherImage("next")));
    const result = await running.stop();
    complete([...(await said(1)), ...(await said(2))], result);
  });

  it("has nothing of a route that is not to be in it", async () => {
    await visit(edge, host, "/quiet/please");
    await visit(edge, host, "/loud");
    assert.deepEqual(
      (await said(1)).map(({ path }) => path),
      ["/loud"],
    );
  });
});
