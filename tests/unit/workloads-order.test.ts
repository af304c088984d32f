import assert from "node:assert/strict";
import { dependencyOrder } from "../../components/workloads/order.ts";

describe("the order of creation", () => {
  it("puts everything after what it depends on", () => {
    const order = dependencyOrder({
      api: ["migrate", "redis"],
      migrate: ["postgres"],
      postgres: [],
      redis: [],
      web: [],
    });
    assert.deepEqual(order, ["postgres", "migrate", "redis", "api", "web"]);
  });

  it("names each thing once, however many depend on it", () => {
    assert.deepEqual(dependencyOrder({ a: ["c"], b: ["c"], c: [] }), ["c", "a", "b"]);
  });
});
