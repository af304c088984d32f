import * as pulumi from "@pulumi/pulumi";
import type Docker from "dockerode";
import { healthBudgetMs, type Workload } from "./workload.ts";
import type { Converge, Rollouts } from "./rollouts.ts";
import type { Ready } from "../shared/ready.ts";
import { judge, tellingTask, type TaskView, type Wanted } from "./convergence.judge.ts";
import { SwarmReader } from "./swarm-reader.ts";

/** How often the swarm is asked while a rollout is under way. */
const pollMs = 200;
/** Longest time for images to arrive on the hosts; the health budget does not run meanwhile. */
const pullBudgetMs = 10 * 60_000;

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
  const swarm = new SwarmReader(docker);
  return async (wanted, report) => {
    const api = await docker();
    let started = Date.now();
    let pullingMs = 0;
    let lastLook = started;
    let said = "";
    let nudged = false;
    for (;;) {
      const { service, tasks, lost } = await swarm.look(wanted.name);
      const verdict = judge(wanted, service, tasks, lost);
      if (verdict.kind === "converged") return;
      if (verdict.kind === "failed") throw new Error(await explain(api, wanted, tasks, verdict.reason));

      const now = Date.now();
      if (verdict.kind === "stuck" && !nudged) {
        report("all run as pinned; swarm waits for a task on a host that is lost, and is told to go on without it");
        await nudge(api, wanted.name);
        nudged = true;
        started = now;
      }
      if (verdict.kind === "waiting" && verdict.pulling) pullingMs += now - lastLook;
      lastLook = now;
      const late = now - started - Math.min(pullingMs, pullBudgetMs) > wanted.budgetMs;
      const progress = "progress" in verdict ? verdict.progress : verdict.reason;
      if (late) {
        const seconds = Math.round(wanted.budgetMs / 1000);
        const reason = "progress" in verdict ? `not converged within ${seconds} s: ${progress}` : progress;
        throw new Error(await explain(api, wanted, tasks, reason));
      }
      if (progress !== said) report((said = progress));
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  };
}

/**
 * Swarm's updater waits without end for each task that it made to start, also on a host that is lost meanwhile, and
 * leaves the old tasks running next to those that it started in the place of the lost ones. It begins anew with what
 * is left to be done when the service changes: a label comes and goes, tasks that are as they should be stay.
 * https://github.com/moby/swarmkit/blob/v2.1.0/manager/orchestrator/update/updater.go
 */
async function nudge(api: Docker, name: string): Promise<void> {
  const service = api.getService(name);
  const { Spec } = (await service.inspect()) as RawService;
  await change(service, { ...Spec, Labels: { ...Spec.Labels, "berth.nudge": "1" } });
  await change(service, Spec);
}

/** Swarm writes the state of the rollout into the service too, perhaps between the look and the change. */
async function change(service: Docker.Service, spec: RawService["Spec"]): Promise<void> {
  for (;;) {
    const { Version } = (await service.inspect()) as RawService;
    try {
      await service.update({ ...spec, version: Version.Index });
      return;
    } catch (error) {
      if (!(error as Error).message.includes("update out of sequence")) throw error;
    }
  }
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
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Labels?: Record<string, string> };
}
