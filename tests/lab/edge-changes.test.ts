import assert from "node:assert/strict";
import { startLoad, startSockets, type LoadResult, type SocketResult } from "../support/load.ts";
import { sites } from "../support/edge-sites.ts";
import { until } from "../support/until.ts";
import { TestEdge, visit } from "./edge-host.ts";

const host = "shop.test";
const drain = "20 seconds";
const socketCount = 10;

describe("the edge under load", function () {
  this.timeout(180_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    for (const service of ["shop-api", "shop-api", "shop-frontend"]) await edge.task(service);
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(), drain));
  });
  after(() => edge.stop());

  function shop(headers: Record<string, string> = {}) {
    const routes = [
      { path: "/api", service: "api" },
      { path: "/api/ws", service: "api", websocket: true },
      { path: "/", service: "frontend" },
    ];
    return sites("shop", { api: 8000, frontend: 8000 }, [{ host, headers, routes }]);
  }

  /** Visitors with and without kept connections and some WebSockets, while something happens. */
  async function during(happening: () => Promise<void>, whileOpen: () => Promise<unknown> = () => Promise.resolve()) {
    const common = { connect: `127.0.0.1:${edge.httpsPort}`, seconds: 120 };
    const url = `https://${host}/api/version`;
    const sockets = await startSockets({ ...common, url: `wss://${host}/api/ws`, count: socketCount });
    const loads = [
      await startLoad({ ...common, url, rate: 150, keepAlive: true }),
      await startLoad({ ...common, url, rate: 50, keepAlive: false }),
    ];
    let visitors: LoadResult[];
    try {
      await happening();
      // What comes after a change belongs to it.
      await until("there was enough load", 60_000, () =>
        Promise.resolve(loads.every((load) => (load.progress()?.requests ?? 0) > 200) ? true : undefined),
      );
    } finally {
      visitors = await Promise.all(loads.map((load) => load.stop()));
    }
    await whileOpen();
    return { visitors, sockets: await sockets.stop() };
  }

  function assertNothingLost(visitors: readonly LoadResult[]): void {
    for (const seen of visitors) assert.deepEqual(seen.reasons, {}, `of ${seen.requests} requests`);
  }
  function assertNoneCut({ opened, cut }: SocketResult): void {
    assert.equal(opened, socketCount);
    assert.deepEqual(cut, []);
  }

  it("loses no request and no WebSocket over changes of its configuration", async () => {
    const [before] = await edge.generations();
    const { visitors, sockets } = await during(async () => {
      for (const change of ["one", "two", "three", "four"]) {
        await edge.must(edge.site(shop({ "X-Change": change }), drain));
        const { headers } = await visit(edge, host, "/api/version");
        assert.equal(headers["x-change"], change, "the changed configuration is live when the step ends");
      }
    });
    assertNothingLost(visitors);
    assertNoneCut(sockets);
    assert.deepEqual(await edge.generations(), [before], "the container was not started anew");
  });

  it("keeps the live configuration when nginx refuses a new one, and says what and where", async () => {
    const live = await edge.file("live/sites/shop.conf");
    const { visitors, sockets } = await during(async () => {
      const { code, output } = await edge.site(shop(), drain, (text) => text.replace("least_conn;", "most_conn;"));
      assert.notEqual(code, 0);
      assert.match(output, /unknown directive "most_conn" in .*sites\/shop\.conf:\d+/);
      assert.match(output, /edge: sites\/shop\.conf:\d+: +most_conn;/);
    });
    assertNothingLost(visitors);
    assertNoneCut(sockets);
    assert.equal(await edge.file("live/sites/shop.conf"), live);
  });

  it("loses no request over an upgrade of nginx, and keeps WebSockets for the drain period", async () => {
    const image = await edge.otherImage("2");
    let upgraded = 0;
    const { visitors, sockets } = await during(
      async () => {
        await edge.must(edge.runtime(image));
        upgraded = Date.now();
        const images = (await edge.generations()).map((generation) => generation.image);
        assert.deepEqual(images, [edge.image, image], "the old generation drains beside the new one");
      },
      async () => {
        await until("the old generation has ended", 60_000, async () => {
          const left = await edge.generations();
          return left.length === 1 ? left : undefined;
        });
      },
    );
    assertNothingLost(visitors);
    assert.equal(sockets.cut.length, socketCount);
    for (const { at } of sockets.cut) {
      const seconds = (at - upgraded) / 1000;
      assert.ok(seconds > 15 && seconds < 40, `a WebSocket was cut ${seconds} s after the upgrade`);
    }
  });

  it("returns to the image before while the one after it still drains", async () => {
    const { visitors, sockets } = await during(() => edge.must(edge.runtime(edge.image)));
    assertNothingLost(visitors);
    assertNoneCut(sockets);
    assert.equal((await edge.generations()).at(-1)!.image, edge.image);
  });
});
