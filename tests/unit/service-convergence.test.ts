import assert from "node:assert/strict";
import {
  judge,
  tellingTask,
  type ServiceView,
  type TaskView,
  type Wanted,
} from "../../components/service/convergence.judge.ts";
import { demultiplex } from "../../components/service/convergence.ts";

const good = "registry.test:5000/api:1.1.0@sha256:1111";
const old = "registry.test:5000/api:1.0.0@sha256:0000";
const wanted: Wanted = { image: good, spec: "new", replicas: 2 };

function service(overrides: Partial<ServiceView> = {}): ServiceView {
  return { image: good, spec: "new", taskSpec: good, updateState: "completed", updateMessage: undefined, ...overrides };
}

/** A task made from a spec that is its image, unless told otherwise. */
function task(overrides: Partial<TaskView> = {}): TaskView {
  const image = overrides.image ?? good;
  return {
    id: "t",
    slot: 1,
    nodeId: "n",
    image,
    spec: image,
    desiredState: "running",
    state: "running",
    error: undefined,
    exitCode: undefined,
    createdAt: "2026-01-01T00:00:00Z",
    ...overrides,
  };
}

describe("the verdict on a rollout", () => {
  it("is converged when every wanted task runs the pinned image", () => {
    assert.deepEqual(judge(wanted, service(), [task(), task({ slot: 2 })]), { kind: "converged" });
  });

  it("is converged for a service that was never updated", () => {
    assert.equal(judge(wanted, service({ updateState: undefined }), [task(), task({ slot: 2 })]).kind, "converged");
  });

  it("does not count tasks that are on their way out", () => {
    const leaving = task({ slot: 1, image: old, desiredState: "shutdown" });
    assert.equal(judge(wanted, service(), [leaving, task(), task({ slot: 2 })]).kind, "converged");
  });

  it("waits while swarm still updates, even when every slot runs something new", () => {
    const verdict = judge(wanted, service({ updateState: "updating" }), [task(), task({ slot: 2 })]);
    assert.equal(verdict.kind, "waiting");
  });

  it("waits for tasks of the same image that were made with other settings", () => {
    const before = [task({ spec: "other env" }), task({ slot: 2, spec: "other env" })];
    assert.equal(judge(wanted, service({ updateState: undefined }), before).kind, "waiting");
  });

  it("waits while an old task is still meant to run", () => {
    assert.equal(judge(wanted, service(), [task(), task({ slot: 2 }), task({ image: old })]).kind, "waiting");
  });

  it("waits while too few tasks run", () => {
    assert.deepEqual(judge(wanted, service(), [task(), task({ slot: 2, state: "starting" })]), {
      kind: "waiting",
      progress: "1/2 running as pinned",
      pulling: false,
    });
  });

  it("is stuck when swarm waits for a task that its lost host never started, and only then", () => {
    const updating = service({ updateState: "updating" });
    const tasks = [task(), task({ slot: 2 }), task({ image: old })];
    const never = task({ state: "assigned", desiredState: "shutdown" });
    assert.deepEqual(judge(wanted, updating, tasks, [never]), { kind: "stuck", progress: "2/2 running as pinned" });
    for (const [now, here, lost] of [
      [updating, tasks, []],
      [updating, tasks.slice(1), [never]],
      [updating, tasks, [{ ...never, state: "shutdown" }]],
      [updating, tasks, [{ ...never, spec: old }]],
      [service(), tasks, [never]],
    ] as const)
      assert.equal(judge(wanted, now, here, lost).kind, "waiting");
  });

  it("does not let the clock run while the image is being pulled", () => {
    const tasks = [task({ state: "preparing" }), task({ slot: 2, state: "preparing" })];
    const verdict = judge(wanted, service(), tasks);
    assert.ok(verdict.kind === "waiting" && verdict.pulling);
  });

  it("waits for a rollback to finish before it reports", () => {
    const verdict = judge(wanted, service({ image: old, spec: "old", updateState: "rollback_started" }), []);
    assert.deepEqual(verdict, {
      kind: "failing",
      reason: "did not become healthy; swarm goes back, and nothing serves now",
    });
  });

  it("waits for no rollback that finds all old tasks there, but does so for one to what is pinned", () => {
    const view = service({ image: old, spec: "old", taskSpec: old, updateState: "rollback_started" });
    const tasks = [task({ image: old, spec: old }), task({ slot: 2, image: old, spec: old })];
    assert.equal(judge(wanted, view, tasks).kind, "failed");
    assert.equal(judge(wanted, view, tasks.slice(1)).kind, "failing");
    assert.equal(judge(wanted, view, [...tasks, task({ state: "starting" })]).kind, "failed");
    assert.equal(judge(wanted, view, [...tasks.slice(1), task()]).kind, "failing", "one of the new is healthy");
    assert.equal(judge({ ...wanted, image: old, spec: "old" }, view, tasks).kind, "failing");
  });

  it("fails after swarm went back, and says what serves", () => {
    const verdict = judge(wanted, service({ image: old, spec: "old", updateState: "rollback_completed" }), [
      task({ image: old }),
      task({ slot: 2, image: old }),
    ]);
    assert.deepEqual(verdict, {
      kind: "failed",
      reason: `did not become healthy; swarm went back, and 2/2 tasks serve ${old}`,
    });
  });

  it("fails when swarm went back to the same image with the settings of before", () => {
    const verdict = judge(wanted, service({ spec: "old", updateState: "rollback_completed" }), [task()]);
    assert.equal(verdict.kind, "failed");
  });

  it("accepts the old pin again after swarm went back to it", () => {
    const back = { ...wanted, image: old, spec: "old" };
    const view = service({ image: old, spec: "old", taskSpec: old, updateState: "rollback_completed" });
    assert.equal(judge(back, view, [task({ image: old }), task({ slot: 2, image: old })]).kind, "converged");
  });

  it("fails when somebody changed the image by hand", () => {
    const verdict = judge(wanted, service({ image: old }), [task({ image: old }), task({ slot: 2, image: old })]);
    assert.deepEqual(verdict, { kind: "failed", reason: `runs ${old} instead of the pinned image` });
  });

  it("does not wait as for an image when no host has room for a task", () => {
    const coming = (error?: string) => task({ slot: 2, state: "pending", error });
    const isPulling = (other: TaskView) => {
      const verdict = judge(wanted, service({ updateState: "updating" }), [task(), other]);
      return verdict.kind === "waiting" && verdict.pulling;
    };
    assert.deepEqual([isPulling(coming()), isPulling(coming("no suitable node"))], [true, false]);
    assert.equal(tellingTask(good, [task(), coming("no suitable node")])?.error, "no suitable node");
  });

  it("fails when swarm paused the rollout", () => {
    const verdict = judge(wanted, service({ updateState: "paused", updateMessage: "update paused" }), [task()]);
    assert.deepEqual(verdict, { kind: "failed", reason: "swarm stopped the rollout (update paused)" });
  });

  it("is converged with nothing when nothing is wanted", () => {
    assert.equal(judge({ ...wanted, replicas: 0 }, service(), []).kind, "converged");
  });
});

describe("the task that explains a failure", () => {
  const ended = (overrides: Partial<TaskView>) => task({ desiredState: "shutdown", state: "failed", ...overrides });

  it("is the latest failed one of the image", () => {
    const tasks = [
      ended({ id: "first", exitCode: 1, createdAt: "2026-01-01T00:00:00Z" }),
      ended({ id: "last", exitCode: 1, createdAt: "2026-01-01T00:00:05Z" }),
      ended({ id: "well", state: "complete", exitCode: 0, createdAt: "2026-01-01T00:00:07Z" }),
      ended({ id: "other", image: old, exitCode: 1, createdAt: "2026-01-01T00:00:09Z" }),
    ];
    assert.equal(tellingTask(good, tasks)?.id, "last");
  });

  it("is one that ended well when none failed, for an unhealthy application may drain and exit 0", () => {
    const tasks = [
      ended({ id: "drained", state: "complete", exitCode: 0 }),
      ended({ id: "stopped", state: "shutdown", createdAt: "2026-01-01T00:00:09Z" }),
      task({ id: "running" }),
    ];
    assert.equal(tellingTask(good, tasks)?.id, "drained");
  });

  it("is one that never gets healthy when the time is up before swarm gives it up", () => {
    const tasks = [task({ id: "starting", state: "starting" }), task({ id: "running" }), task({ state: "preparing" })];
    assert.equal(tellingTask(good, tasks)?.id, "starting");
  });

  it("is the first one that starts when swarm has begun with others, which have said nothing yet", () => {
    const starting = (id: string, second: number) =>
      task({ id, state: "starting", exitCode: 0, createdAt: `2026-01-01T00:00:0${second}Z` });
    const tasks = [starting("again", 9), starting("first", 1), starting("later", 2)];
    assert.equal(tellingTask(good, tasks)?.id, "first");
    assert.equal(
      tellingTask(good, [...tasks, ended({ id: "drained", state: "complete", exitCode: 0 })])?.id,
      "drained",
    );
  });

  it("is none when none ended", () => {
    assert.equal(tellingTask(good, [task(), ended({ state: "pending" })]), undefined);
  });
});

describe("a framed Docker log", () => {
  it("is joined in order from both streams", () => {
    const frame = (stream: number, text: string) => {
      const head = Buffer.alloc(8);
      head[0] = stream;
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    assert.equal(demultiplex(Buffer.concat([frame(1, "started\n"), frame(2, "boom\n")])), "started\nboom\n");
  });
});
