import * as pulumi from "@pulumi/pulumi";
import type { Ready } from "../shared/ready.ts";
import type { JobArgs, ManagerShell } from "./job.ts";
import { renderForgetSchedule, renderPlan, renderSetUp, undoSchedule } from "./schedule.render.ts";

export interface ScheduleArgs {
  /** What runs; secrets come by the names Docker gave them. */
  readonly script: JobArgs["script"];
  /** When: five fields of cron. */
  readonly cron: string;
  /** Where `cron` is read: a name of the tz database. */
  readonly timeZone: string;
  readonly managers: Managers;
}

/** What sets up all manager hosts. */
export interface Managers extends ManagerShell {
  onManagers(
    name: string,
    setUp: { readonly concern: string; readonly body: pulumi.Input<string>; readonly undo: string },
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource[];
}

/**
 * A task that runs to its end at set times, one run at a time on the whole swarm, whichever managers are there.
 *
 * Creates: a command on a manager that writes the schedule down in the swarm, and on each manager host one that sets up
 * its timer and one that takes it away. Stateful: no; how the last run ended is forgotten with it.
 */
export class Schedule extends pulumi.ComponentResource {
  /** Physical name: of the swarm service of a run, and of the schedule in labels. */
  readonly service: string;
  /** Passed when every manager has its timer. */
  readonly ready: Ready;

  constructor(name: string, args: ScheduleArgs, opts?: pulumi.ComponentResourceOptions) {
    const { managers, cron, timeZone } = args;
    super("berth:service:Schedule", name, { image: args.script.image, cron, timeZone }, opts);
    this.service = args.script.name;

    const script = pulumi.output(args.script).apply((known) => ({ ...known, cron, timeZone }));
    const plan = managers.runOnManager(
      `${name}-plan`,
      { script: script.apply(renderPlan), delete: renderForgetSchedule(this.service) },
      // What it keeps goes by the schedule's name: the removal of an old one would take the new one's along.
      { parent: this, deleteBeforeReplace: true },
    );
    const setUp = { concern: "schedule", body: script.apply(renderSetUp), undo: undoSchedule(this.service) };
    // On the way out the timers go first: one that fired afterwards would leave a run behind.
    this.ready = pulumi.output(managers.onManagers(`${name}-timer`, setUp, { parent: this, dependsOn: [plan] }));

    this.registerOutputs({ service: this.service });
  }
}
