import assert from "node:assert/strict";
import { Rollouts, type Converge } from "../../components/service/rollouts.ts";

/** A service that is wanted, and what is said about it. */
function follow(rollouts: Rollouts, name: string, said: string[]): Promise<void> {
  return rollouts.follow(
    { name, image: "image", spec: "spec", replicas: 1, budgetMs: 1 },
    { progress: () => undefined, failure: (text) => Promise.resolve(void said.push(text)) },
  );
}

/** Outcomes by service: live after a turn or two of the event loop, or failed. */
function swarm(outcomes: Record<string, { after: number; fails?: string }>): Converge {
  return async ({ name }) => {
    const { after, fails } = outcomes[name]!;
    for (let turn = 0; turn < after; turn++) await new Promise(setImmediate);
    if (fails) throw new Error(fails);
  };
}

describe("the rollouts of one update", () => {
  it("end well when each is live", async () => {
    const rollouts = new Rollouts(swarm({ api: { after: 2 }, web: { after: 1 } }));
    await Promise.all([follow(rollouts, "api", []), follow(rollouts, "web", [])]);
  });

  it("say which of two is bad, and wait for the other one to say so", async () => {
    const said: string[] = [];
    const rollouts = new Rollouts(swarm({ api: { after: 1, fails: "exit code 1" }, web: { after: 5 } }));
    const results = await Promise.allSettled([follow(rollouts, "api", said), follow(rollouts, "web", said)]);
    assert.deepEqual(said, ["api: exit code 1"]);
    const reasons = results.map((result) => (result as PromiseRejectedResult).reason as Error);
    assert.equal(reasons[0], reasons[1], "one error, so that Pulumi reports it once");
    assert.equal(reasons[0]?.message, "not live as pinned: api; live: web");
  });

  it("wait for what still comes, and for nothing that will not be started", async () => {
    const rollouts = new Rollouts(
      swarm({ postgres: { after: 1 }, web: { after: 2, fails: "exit code 1" }, api: { after: 9 } }),
    );
    rollouts.plan({ postgres: [], web: [], api: ["postgres"], worker: ["api"], admin: ["web"] });
    const first = [follow(rollouts, "postgres", []), follow(rollouts, "web", [])];
    await first[0];
    // Its image is being migrated to, or Docker is told.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    await assert.rejects(follow(rollouts, "api", []));
    await assert.rejects(first[1]!, {
      message: "not live as pinned: web; live: postgres, api; not started: worker, admin",
    });
  });

  it("report every failure, not only the first", async () => {
    const said: string[] = [];
    const rollouts = new Rollouts(
      swarm({ api: { after: 1, fails: "unhealthy" }, web: { after: 5, fails: "exit code 1" } }),
    );
    await Promise.allSettled([follow(rollouts, "api", said), follow(rollouts, "web", said)]);
    assert.deepEqual(said, ["api: unhealthy", "web: exit code 1"]);
  });

  it("keep their message, whatever Pulumi puts in front of it", async () => {
    const rollouts = new Rollouts(swarm({ api: { after: 1, fails: "unhealthy" } }));
    await assert.rejects(follow(rollouts, "api", []), (error: Error) => {
      error.message = `error serializing property "outputs": ${error.message}`;
      assert.equal(error.message, "not live as pinned: api");
      return true;
    });
  });
});
