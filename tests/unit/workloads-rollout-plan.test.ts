import assert from "node:assert/strict";
import { systemSchema } from "../../components/config/system.ts";
import { rolloutPlan } from "../../components/workloads/rollout-plan.ts";
import fitness from "../../systems/fitness-crm/system.ts";
import palmistry from "../../systems/palmistry/system.ts";

describe("the rollouts of a system", () => {
  it("wait for each other also through a job, which is none itself", () => {
    const plan = rolloutPlan(systemSchema.parse(palmistry));
    assert.ok(!("palmistry-migrate" in plan));
    assert.deepEqual([plan["palmistry-postgres"], plan["palmistry-frontend"]], [[], []]);
    assert.ok(plan["palmistry-api"]?.includes("palmistry-postgres"));
  });

  it("wait for the pooler of a store as well, which waits for the store", () => {
    const plan = rolloutPlan(systemSchema.parse(fitness));
    const [store, pooler] = ["fitness-crm-postgres", "fitness-crm-postgres-pooler"];
    assert.deepEqual([plan[store], plan[pooler]], [[], [store]]);
    const users = Object.values(plan).filter((before) => before.includes(store) && before.includes(pooler));
    assert.ok(users.length > 0);
    // Whoever is let in by the store alone, beside its pooler, would be awaited for ever where the pooler fails.
    for (const [name, before] of Object.entries(plan))
      if (name !== pooler) assert.equal(before.includes(store), before.includes(pooler), name);
  });
});
