/*
 * The rules by which a rollout counts as done or failed: pure functions over what the Docker API answers.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service
 */

export interface ServiceView {
  readonly image: string;
  /** Label that berth gave the settings; swarm's own rollback puts the previous one back. */
  readonly spec: string | undefined;
  /** What tasks are made from, placement apart: swarm keeps a task whose host satisfies new constraints as well. */
  readonly taskSpec: string;
  /** `updating`, `completed`, `paused`, `rollback_started`, `rollback_completed`, `rollback_paused`; nothing before the first update. */
  readonly updateState: string | undefined;
  readonly updateMessage: string | undefined;
}

export interface TaskView {
  readonly id: string;
  readonly slot: number;
  readonly nodeId: string;
  readonly image: string;
  /** What it was made from, in the form of `ServiceView.taskSpec`. */
  readonly spec: string;
  readonly desiredState: string;
  readonly state: string;
  readonly error: string | undefined;
  readonly exitCode: number | undefined;
  readonly createdAt: string;
}

export interface Wanted {
  readonly image: string;
  readonly spec: string;
  readonly replicas: number;
}

export type Verdict =
  | { readonly kind: "converged" }
  /** `pulling`: no task of the new version has started yet, so the health budget does not run. */
  | { readonly kind: "waiting"; readonly progress: string; readonly pulling: boolean }
  /** All tasks of the new version run, and swarm waits for one that never will, as its host was lost before it started. */
  | { readonly kind: "stuck"; readonly progress: string }
  /** Lost already, while swarm still puts the old version back. */
  | { readonly kind: "failing"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** States of a task before its container starts. */
const beforeStart = new Set(["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready"]);
/** On its way to a start. One that no host has room for is not, though it has not started either. */
const isComing = (task: TaskView): boolean => beforeStart.has(task.state) && !task.error;

/** Tasks on hosts that are lost are `lost`: they can't say that they have stopped, and others run in their place. */
export function judge(
  wanted: Wanted,
  service: ServiceView,
  tasks: readonly TaskView[],
  lost: readonly TaskView[] = [],
): Verdict {
  const state = service.updateState ?? "";
  const asWanted = service.image === wanted.image && service.spec === wanted.spec;
  const current = tasks.filter((task) => task.desiredState === "running");
  const serving = current.filter((task) => task.state === "running");
  const live = serving.filter((task) => task.spec === service.taskSpec);

  // On its way back with all old tasks there, as they are when the new ones were to start first, nothing else can come:
  // what swarm has begun to try again is on its way out.
  const isBack = !asWanted && live.length === wanted.replicas;
  if (state === "rollback_started" && !isBack) {
    return { kind: "failing", reason: `did not become healthy; swarm goes back, and ${servingText(serving, wanted)}` };
  }
  if (!asWanted) {
    const why =
      service.image === wanted.image
        ? "runs the pinned image with other settings than asked for"
        : `runs ${service.image} instead of the pinned image`;
    return state.startsWith("rollback")
      ? { kind: "failed", reason: `did not become healthy; swarm went back, and ${servingText(serving, wanted)}` }
      : { kind: "failed", reason: why };
  }
  if (state === "paused" || state === "rollback_paused") {
    return { kind: "failed", reason: `swarm stopped the rollout (${service.updateMessage ?? state})` };
  }
  const progress = `${live.length}/${wanted.replicas} running as pinned`;
  const running = live.length === wanted.replicas;
  if (running && state !== "updating" && current.length === live.length) return { kind: "converged" };
  const awaited = lost.some(
    (task) => task.spec === service.taskSpec && (beforeStart.has(task.state) || task.state === "starting"),
  );
  if (running && state === "updating" && awaited) return { kind: "stuck", progress };
  const fresh = current.filter((task) => task.spec === service.taskSpec && task.state !== "running");
  return { kind: "waiting", progress, pulling: fresh.length > 0 && fresh.every(isComing) };
}

function servingText(serving: readonly TaskView[], wanted: Wanted): string {
  const images = [...new Set(serving.map((task) => task.image))];
  return serving.length === 0
    ? "nothing serves now"
    : `${serving.length}/${wanted.replicas} tasks serve ${images.join(", ")}`;
}

/**
 * The task that says most about a failed rollout of this image: the latest of those that ended, or the one that has been
 * starting for the longest time; swarm may have begun with others in the place of failed ones.
 */
export function tellingTask(image: string, tasks: readonly TaskView[]): TaskView | undefined {
  const works = (task: TaskView) => task.desiredState === "running" && task.state === "running";
  const byAge = (a: TaskView, b: TaskView) => a.createdAt.localeCompare(b.createdAt);
  return tasks
    .filter((task) => task.image === image && !works(task) && !isComing(task))
    .sort((a, b) => severity(b) - severity(a) || (a.state === "starting" ? byAge(a, b) : byAge(b, a)))[0];
}

function severity(task: TaskView): number {
  if (task.error !== undefined || (task.exitCode ?? 0) !== 0) return 3;
  // An application that drains when it is found unhealthy ends well: exit code 0 is no sign of health.
  if (task.state === "complete") return 2;
  // What swarm stopped on its way back says least.
  return task.state === "starting" ? 1 : 0;
}
