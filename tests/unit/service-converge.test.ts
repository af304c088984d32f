import assert from "node:assert/strict";
import type Docker from "dockerode";
import { convergeThrough } from "../../components/service/convergence.ts";

const good = "registry.test:5000/api:1.1.0@sha256:1111";
const old = "registry.test:5000/api:1.0.0@sha256:0000";
const wanted = { name: "palmistry-api", image: good, spec: "new", replicas: 1, budgetMs: 400 };

interface Moment {
  readonly image: string;
  readonly spec: string;
  readonly update?: string;
  readonly tasks: readonly {
    image: string;
    state: string;
    desired?: string;
    error?: string;
    exitCode?: number;
    node?: string;
  }[];
}

/** A swarm that is in one moment after the other, and stays in the last. */
function swarm(...moments: Moment[]): { docker: () => Promise<Docker>; looks: () => number; updates: object[] } {
  let looks = 0;
  const updates: object[] = [];
  const now = () => moments[Math.min(looks, moments.length - 1)]!;
  const log = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 5]), Buffer.from("boom\n")]);
  const service = () => ({
    ID: "api-id",
    Version: { Index: 7 },
    Spec: {
      Name: wanted.name,
      Labels: { "berth.spec": now().spec },
      TaskTemplate: { ContainerSpec: { Image: now().image } },
    },
    UpdateStatus: { State: now().update },
  });
  const api = {
    listServices: () => Promise.resolve([service()]),
    getService: () => ({
      inspect: () => Promise.resolve(service()),
      update: (spec: object) => {
        if (updates.push(spec) !== 1) return Promise.resolve();
        return Promise.reject(new Error("rpc error: code = Unknown desc = update out of sequence"));
      },
    }),
    listTasks: () => {
      const { tasks } = now();
      looks++;
      return Promise.resolve(
        tasks.map((task, index) => ({
          ID: `task${index}`,
          ServiceID: "api-id",
          Slot: 1,
          NodeID: task.node ?? "vm-1",
          CreatedAt: `2026-01-01T00:00:0${index}Z`,
          DesiredState: task.desired ?? "running",
          Spec: { ContainerSpec: { Image: task.image } },
          Status: { State: task.state, Err: task.error, ContainerStatus: { ExitCode: task.exitCode } },
        })),
      );
    },
    listNodes: () =>
      Promise.resolve([
        { ID: "vm-1", Status: { State: "ready" } },
        { ID: "vm-2", Status: { State: "down" } },
      ]),
    getTask: () => ({ logs: () => Promise.resolve(log) }),
  };
  return { docker: () => Promise.resolve(api as unknown as Docker), looks: () => looks, updates };
}

const running = { image: good, state: "running" };
const live: Moment = { image: good, spec: "new", update: "completed", tasks: [running] };

describe("waiting for convergence", () => {
  it("follows a rollout to its end and tells the progress", async () => {
    const progress: string[] = [];
    const { docker } = swarm(
      { image: good, spec: "new", update: "updating", tasks: [{ image: good, state: "starting" }] },
      live,
    );
    await convergeThrough(docker)(wanted, (text) => progress.push(text));
    assert.deepEqual(progress, ["0/1 running as pinned"]);
  });

  it("asks once when nothing is to be done", async () => {
    const { docker, looks } = swarm(live);
    await convergeThrough(docker)(wanted, () => undefined);
    assert.equal(looks(), 1);
  });

  it("rejects a release that swarm took back, with the task's end and its last words", async () => {
    const { docker } = swarm(
      { image: old, spec: "old", update: "rollback_started", tasks: [] },
      {
        image: old,
        spec: "old",
        update: "rollback_completed",
        tasks: [
          { image: old, state: "running" },
          { image: good, state: "failed", desired: "shutdown", error: "task: non-zero exit (3)", exitCode: 3 },
        ],
      },
    );
    await assert.rejects(
      convergeThrough(docker)(wanted, () => undefined),
      {
        message: [
          `did not become healthy; swarm went back, and 1/1 tasks serve ${old}`,
          `  pinned: ${good}`,
          "  task palmistry-api.1: failed, exit code 3: task: non-zero exit (3)",
          "  its last log lines:",
          "    boom",
          "  pin a version that works and run `pulumi up`; to try this one again: `pulumi up --refresh`",
        ].join("\n"),
      },
    );
  });

  it("rejects what is not healthy within the budget", async () => {
    const { docker } = swarm({ image: good, spec: "new", tasks: [{ image: good, state: "starting" }] });
    await assert.rejects(
      convergeThrough(docker)(wanted, () => undefined),
      {
        message: /^not converged within 0 s: 0\/1 running as pinned/,
      },
    );
  });

  it("does not wait for a task on a host that is lost, and does not count it either", async () => {
    const left = { image: old, state: "running", node: "vm-2" };
    await convergeThrough(swarm({ ...live, tasks: [running, left] }).docker)(wanted, () => undefined);
    const only = swarm({ ...live, tasks: [{ ...running, node: "vm-2" }] });
    await assert.rejects(
      convergeThrough(only.docker)(wanted, () => undefined),
      { message: /^not converged within 0 s: 0\/1 running as pinned/ },
    );
  });

  it("lets swarm begin anew when it waits for a task that a lost host never started", async () => {
    const never = { image: good, state: "assigned", desired: "shutdown", node: "vm-2" };
    const stuck: Moment = {
      image: good,
      spec: "new",
      update: "updating",
      tasks: [running, { ...running, image: old }, never],
    };
    const progress: string[] = [];
    const { docker, updates } = swarm(stuck, stuck, { ...live, tasks: [running, never] });
    await convergeThrough(docker)(wanted, (text) => progress.push(text));
    assert.match(progress[0]!, /swarm waits for a task on a host that is lost/);
    const [, marked, plain] = updates;
    assert.deepEqual(updates[0], marked, "once more when swarm wrote to the service in between");
    assert.deepEqual(marked, { ...plain, Labels: { "berth.spec": "new", "berth.nudge": "1" } });
    assert.deepEqual(plain, {
      Name: "palmistry-api",
      Labels: { "berth.spec": "new" },
      TaskTemplate: { ContainerSpec: { Image: good } },
      version: 7,
    });
    assert.equal(updates.length, 3, "once is enough");
  });

  it("does not count the time that images take to arrive", async () => {
    const pulling: Moment = { image: good, spec: "new", tasks: [{ image: good, state: "preparing" }] };
    const { docker } = swarm(pulling, pulling, pulling, pulling, pulling, live);
    await convergeThrough(docker)(wanted, () => undefined);
  });
});
