import * as pulumi from "@pulumi/pulumi";
import type { Ready } from "../shared/ready.ts";
import { renderForgetJob, renderJob, type JobScript } from "./job.render.ts";

export interface JobArgs {
  /** What runs; secrets come by the names Docker gave them. */
  readonly script: Omit<JobScript, "secrets" | "networks"> & {
    readonly secrets: readonly { readonly name: string; readonly secretName: pulumi.Input<string> }[];
    readonly networks: readonly pulumi.Input<string>[];
  };
  readonly manager: ManagerShell;
}

/** What runs scripts on a swarm manager. */
export interface ManagerShell {
  runOnManager(
    name: string,
    args: { readonly script: pulumi.Input<string>; readonly delete?: string },
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource;
}

/**
 * A task that runs once per image to its end, before the services that depend on it: migrations.
 *
 * Creates: one command on a manager. Stateful: no; the swarm remembers for which images it ran.
 */
export class Job extends pulumi.ComponentResource {
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: JobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:service:Job", name, { image: args.script.image }, opts);

    const run = args.manager.runOnManager(
      `${name}-run`,
      { script: pulumi.output(args.script).apply(renderJob), delete: renderForgetJob(args.script.name) },
      { parent: this },
    );
    this.ready = pulumi.output([run]);

    this.registerOutputs({});
  }
}
