import assert from "node:assert/strict";
import { dependenciesAmong, dependencyOrder } from "../../components/workloads/order.ts";

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

describe("what waits for what among some", () => {
  it("steps over the others, such as jobs, and names each once", () => {
    const dependsOn = {
      postgres: [],
      migrate: ["postgres"],
      api: ["migrate", "postgres"],
      worker: ["seed"],
      seed: ["api"],
    };
    assert.deepEqual(dependenciesAmong(new Set(["postgres", "api", "worker"]), dependsOn), {
      postgres: [],
      api: ["postgres"],
      worker: ["api"],
    });
  });
});
