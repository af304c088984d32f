import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import { command } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import { renderForgetJob, renderJob, type JobScript } from "./job.render.ts";

export interface JobArgs {
  /** What runs; secrets come by the names Docker gave them. */
  readonly script: Omit<JobScript, "secrets" | "networks"> & {
    readonly secrets: readonly { readonly name: string; readonly secretName: pulumi.Input<string> }[];
    readonly networks: readonly pulumi.Input<string>[];
  };
  /** SSH connection to a swarm manager. */
  readonly connection: Command.types.input.remote.ConnectionArgs;
  /** Shell that reads a script from standard input with root's rights: `sh -s`, or with sudo before it. */
  readonly shell: string;
}

/**
 * A task that runs once per image to its end, before the services that depend on it: migrations.
 *
 * Creates: one `command.remote.Command` on the manager. Stateful: no; the swarm remembers for which images it ran.
 */
export class Job extends pulumi.ComponentResource {
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: JobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:service:Job", name, { image: args.script.image }, opts);

    const run = new command.remote.Command(
      `${name}-run`,
      {
        connection: args.connection,
        // The script goes by standard input: a failure then shows what it printed and not its whole text.
        create: args.shell,
        stdin: pulumi.output(args.script).apply(renderJob),
        delete: renderForgetJob(args.script.name),
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    this.ready = pulumi.output([run]);

    this.registerOutputs({});
  }
}
