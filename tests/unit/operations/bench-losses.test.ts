import assert from "node:assert/strict";
import { readRunning, readWanted } from "../../support/bench/losses.ts";

describe("the strength of a swarm that lost a host", () => {
  it("is what its services want, but for jobs that have ended", () => {
    const list = ["shop-api 2/3", "shop-migrate 0/1 (1/1 completed)", "shop-web 2/2 (max 1 per node)"].join("\n");
    assert.deepEqual(
      [...readWanted(list)],
      [
        ["shop-api", 3],
        ["shop-web", 2],
      ],
    );
  });

  it("is reached by tasks that run, not by those that start or fail", () => {
    const list = [
      "shop-api.1 host1 Running 5 seconds ago",
      "shop-api.2 host2 Starting 1 second ago",
      "shop.net-web.x7k2 host3 Running about a minute ago",
      "shop-api.3 host2 Failed 2 seconds ago",
    ].join("\n");
    assert.deepEqual(readRunning(list), [
      { name: "shop-api", node: "host1" },
      { name: "shop.net-web", node: "host3" },
    ]);
  });
});
