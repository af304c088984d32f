import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { TestEdge, sites, visit } from "./edge-host.ts";
import { Echo, Load, type Tally } from "./edge-load.ts";

const host = "shop.test";
const drain = "20 seconds";

describe("the edge under load", function () {
  this.timeout(180_000);
  let edge: TestEdge;
  let openSockets: Echo[] = [];

  before(async () => {
    edge = await TestEdge.start();
    for (const service of ["shop-api", "shop-api", "shop-frontend"]) await edge.task(service);
    const { code, output } = await edge.runtime();
    assert.equal(code, 0, output);
    const served = await edge.site(shop(), drain);
    assert.equal(served.code, 0, served.output);
  });
  after(async () => {
    for (const socket of openSockets) socket.close();
    await edge.stop();
  });

  function shop(headers: Record<string, string> = {}) {
    const routes = [
      { path: "/api", service: "api" },
      { path: "/api/ws", service: "api", websocket: true },
      { path: "/", service: "frontend" },
    ];
    return sites("shop", { api: 8000, frontend: 8000 }, [{ host, headers, routes }]);
  }

  /** Visitors with and without kept connections and ten WebSockets, while something happens. */
  async function during(happening: () => Promise<void>): Promise<{ tallies: Tally[]; sockets: Echo[] }> {
    const target = { port: edge.httpsPort, host, path: "/api/version" };
    const sockets = await Promise.all(Array.from({ length: 10 }, () => Echo.open(edge.httpsPort, host, "/api/ws")));
    openSockets = [...openSockets, ...sockets];
    const loads = [
      new Load({ ...target, rate: 250, keepAlive: true }),
      new Load({ ...target, rate: 100, keepAlive: false }),
    ];
    try {
      await happening();
      // What comes after a change belongs to it.
      await until("there was enough load", 20_000, () => Promise.resolve(loads.every(enough) ? true : undefined));
    } finally {
      await Promise.all(loads.map((load) => load.stop()));
    }
    return { tallies: await Promise.all(loads.map((load) => load.stop())), sockets };
  }

  const enough = ({ requests }: { requests: number }) => requests >= 500;

  function assertNothingLost(tallies: readonly Tally[]): void {
    for (const tally of tallies) {
      assert.ok(enough(tally), `only ${tally.requests} requests`);
      assert.deepEqual(tally.failures, {}, `of ${tally.requests} requests`);
    }
  }

  it("loses no request and no WebSocket over changes of its configuration", async () => {
    const [before] = await edge.generations();
    const { tallies, sockets } = await during(async () => {
      for (const change of ["one", "two", "three", "four"]) {
        const { code, output } = await edge.site(shop({ "X-Change": change }), drain);
        assert.equal(code, 0, output);
        const { headers } = await visit(edge, host, "/api/version");
        assert.equal(headers["x-change"], change, "the changed configuration is live when the step ends");
      }
    });
    assertNothingLost(tallies);
    assert.deepEqual(
      await Promise.all(sockets.map((socket) => socket.echoes())),
      sockets.map(() => true),
    );
    assert.deepEqual(await edge.generations(), [before], "the container was not started anew");
  });

  it("keeps the live configuration when nginx refuses a new one, and says what and where", async () => {
    const live = await edge.file("live/sites/shop.conf");
    const { tallies } = await during(async () => {
      for (let attempt = 0; attempt < 3; attempt++) {
        const { code, output } = await edge.site(shop(), drain, (text) => text.replace("least_conn;", "most_conn;"));
        assert.notEqual(code, 0);
        assert.match(output, /unknown directive "most_conn" in .*sites\/shop\.conf:\d+/);
        assert.match(output, /edge: sites\/shop\.conf:\d+: +most_conn;/);
      }
    });
    assertNothingLost(tallies);
    assert.equal(await edge.file("live/sites/shop.conf"), live);
  });

  it("loses no request over an upgrade of nginx, and keeps WebSockets for the drain period", async () => {
    const image = await edge.otherImage("2");
    let upgraded = 0;
    const { tallies, sockets } = await during(async () => {
      const { code, output } = await edge.runtime(image);
      assert.equal(code, 0, output);
      upgraded = Date.now();
    });
    assertNothingLost(tallies);
    const kept = await Promise.all(sockets.map((socket) => socket.echoes()));
    assert.deepEqual(
      kept,
      sockets.map(() => true),
    );
    assert.deepEqual(
      (await edge.generations()).map(({ image }) => image),
      [edge.image, image],
      "the old generation drains beside the new one",
    );

    await Promise.all(sockets.map((socket) => socket.closed));
    const drained = (Date.now() - upgraded) / 1000;
    assert.ok(drained > 15 && drained < 30, `WebSockets were cut after ${drained} s`);
    await until("the old generation has ended", 10_000, async () => {
      const left = await edge.generations();
      return left.length === 1 ? left : undefined;
    });
  });

  it("returns to the image before while the one after it still drains", async () => {
    const { tallies } = await during(async () => {
      const { code, output } = await edge.runtime(edge.image);
      assert.equal(code, 0, output);
    });
    assertNothingLost(tallies);
    assert.equal((await edge.generations()).at(-1)!.image, edge.image);
  });
});
