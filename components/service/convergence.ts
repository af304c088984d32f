import * as pulumi from "@pulumi/pulumi";
import type Docker from "dockerode";
import { healthBudgetMs, specLabel, type Workload } from "./workload.ts";
import type { Converge, Rollouts } from "./rollouts.ts";
import type { Ready } from "../shared/ready.ts";
import { judge, tellingTask, type ServiceView, type TaskView, type Wanted } from "./convergence.judge.ts";

/** How often the swarm is asked while a rollout is under way. */
const pollMs = 200;
/** Longest time for images to arrive on the hosts; the health budget does not run meanwhile. */
const pullBudgetMs = 10 * 60_000;
/**
 * Longest time for swarm to call a rollout done that has nothing left to start. It waits a minute for an old task that
 * does not say that it has stopped, as on a host that was lost.
 */
const endBudgetMs = 90_000;

/**
 * What must hold before anything may rely on a service: the swarm runs the pinned image with the settings asked for,
 * in the wanted number. The check belongs to the program and not to a resource, because a resource runs only when its
 * inputs changed: after a failed rollout the way back to the old pin, or an unchanged `up` after somebody changed the
 * service by hand, would go unchecked. Previews touch no host.
 *
 * The result is what dependants put into `dependsOn`; a failure is reported on the service and ends the program.
 */
export function converged(
  service: pulumi.CustomResource & { readonly labels: pulumi.Output<{ label: string; value: string }[] | undefined> },
  workload: Workload,
  spec: pulumi.Output<string>,
  rollouts: Rollouts | undefined,
  slackMs: number,
): Ready {
  if (!rollouts) return pulumi.output([service]);
  return pulumi.all([service.id, spec]).apply(async ([, specValue]) => {
    const wanted = {
      name: workload.name,
      image: workload.image,
      spec: specValue,
      replicas: workload.replicas,
      budgetMs: healthBudgetMs(workload) + slackMs,
    };
    await rollouts.follow(wanted, {
      progress: (text) => void pulumi.log.info(text, service, undefined, true),
      failure: (text) => pulumi.log.error(text, service),
    });
    return [service];
  });
}

/** Asks a swarm manager through the Docker API. */
export function convergeThrough(docker: () => Promise<Docker>): Converge {
  return async (wanted, report) => {
    const api = await docker();
    const started = Date.now();
    let pullingMs = 0;
    let endingMs = 0;
    let lastLook = started;
    let said = "";
    for (;;) {
      const [service, tasks] = await look(api, wanted.name);
      const verdict = judge(wanted, service, tasks);
      if (verdict.kind === "converged") return;
      if (verdict.kind === "failed") throw new Error(await explain(api, wanted, tasks, verdict.reason));

      const now = Date.now();
      if (verdict.kind === "waiting" && verdict.pulling) pullingMs += now - lastLook;
      if (verdict.kind === "waiting" && verdict.ending) endingMs += now - lastLook;
      lastLook = now;
      const excused = Math.min(pullingMs, pullBudgetMs) + Math.min(endingMs, endBudgetMs);
      const late = now - started - excused > wanted.budgetMs;
      const progress = verdict.kind === "waiting" ? verdict.progress : verdict.reason;
      if (late) {
        const seconds = Math.round(wanted.budgetMs / 1000);
        const reason = verdict.kind === "waiting" ? `not converged within ${seconds} s: ${progress}` : progress;
        throw new Error(await explain(api, wanted, tasks, reason));
      }
      if (progress !== said) report((said = progress));
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  };
}

async function look(api: Docker, name: string): Promise<[ServiceView, TaskView[]]> {
  const [service, all, nodes] = await Promise.all([
    api.getService(name).inspect() as Promise<RawService>,
    api.listTasks({ filters: { service: [name] } }) as Promise<unknown> as Promise<RawTask[]>,
    api.listNodes() as Promise<unknown> as Promise<RawNode[]>,
  ]);
  // A host that is lost can't say that its tasks have stopped. Swarm has others started in their place, and status
  // names the host.
  const lost = new Set(nodes.filter(({ Status }) => Status.State === "down").map(({ ID }) => ID));
  const tasks = all.filter(({ NodeID }) => NodeID === undefined || !lost.has(NodeID));
  return [
    {
      image: service.Spec.TaskTemplate.ContainerSpec.Image,
      spec: service.Spec.Labels?.[specLabel],
      taskSpec: madeFrom(service.Spec.TaskTemplate),
      updateState: service.UpdateStatus?.State,
      updateMessage: service.UpdateStatus?.Message,
    },
    tasks.map((task) => ({
      id: task.ID,
      slot: task.Slot ?? 0,
      nodeId: task.NodeID ?? "",
      image: task.Spec.ContainerSpec.Image,
      spec: madeFrom(task.Spec),
      desiredState: task.DesiredState,
      state: task.Status.State,
      error: task.Status.Err,
      exitCode: task.Status.ContainerStatus?.ExitCode,
      createdAt: task.CreatedAt,
    })),
  ];
}

/** Docker names the runtime of a service and not that of its tasks. */
function madeFrom({ Placement, Runtime, ...rest }: RawTaskSpec): string {
  return JSON.stringify(rest);
}

/** The reason with what an operator would look up next: the failed task, its exit code and its last words. */
async function explain(api: Docker, wanted: Wanted & { name: string }, tasks: readonly TaskView[], reason: string) {
  const lines = [reason, `  pinned: ${wanted.image}`];
  const task = tellingTask(wanted.image, tasks);
  if (task) {
    const exit = task.exitCode === undefined ? "" : `, exit code ${task.exitCode}`;
    const state = task.state === "starting" ? "starting, not healthy yet" : task.state;
    lines.push(`  task ${wanted.name}.${task.slot}: ${state}${exit}${task.error ? `: ${task.error}` : ""}`);
    const log = await lastLogLines(api, task.id);
    lines.push(
      ...(log.length > 0 ? ["  its last log lines:", ...log.map((line) => `    ${line}`)] : ["  it logged nothing"]),
    );
  }
  lines.push("  pin a version that works and run `pulumi up`; to try this one again: `pulumi up --refresh`");
  return lines.join("\n");
}

async function lastLogLines(api: Docker, taskId: string): Promise<string[]> {
  try {
    const task = api.getTask(taskId) as Docker.Task & { logs(options: object): Promise<Buffer> };
    return demultiplex(await task.logs({ stdout: true, stderr: true, tail: 10 }))
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line !== "");
  } catch (error) {
    return [`(its log could not be read: ${(error as Error).message})`];
  }
}

/** Docker frames log output as [stream, 0, 0, 0, length (4 bytes, big endian)] + payload. */
export function demultiplex(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= raw.length;) {
    const length = raw.readUInt32BE(at + 4);
    parts.push(raw.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString("utf8");
}

interface RawService {
  readonly Spec: {
    readonly Labels?: Record<string, string>;
    readonly TaskTemplate: RawTaskSpec;
  };
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string };
}

interface RawTaskSpec {
  readonly ContainerSpec: { readonly Image: string };
  readonly Placement?: unknown;
  readonly Runtime?: unknown;
}

interface RawNode {
  readonly ID: string;
  readonly Status: { readonly State: string };
}

interface RawTask {
  readonly ID: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly CreatedAt: string;
  readonly DesiredState: string;
  readonly Spec: RawTaskSpec;
  readonly Status: {
    readonly State: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ExitCode?: number };
  };
}
