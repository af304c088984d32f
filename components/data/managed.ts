import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { ManagedStore } from "../config/store.ts";
import { command } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import { renderManagedCheck } from "./managed.render.ts";

export interface ManagedArgs {
  readonly spec: ManagedStore;
  readonly url: pulumi.Input<string>;
  /** Identity of what is deployed: with another one the store is asked again. */
  readonly release: string;
  /** SSH connection to a machine of the swarm. */
  readonly connection: Command.types.input.remote.ConnectionArgs;
  /** Shell that reads a script from standard input. */
  readonly shell: string;
}

/**
 * A data store that somebody else runs. Before anything is deployed that uses it, a machine of the swarm must reach it
 * and find a valid certificate for its name.
 *
 * Creates: one `command.remote.Command`. Stateful: no.
 */
export class Managed extends pulumi.ComponentResource {
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: ManagedArgs, opts?: pulumi.ComponentResourceOptions) {
    const { spec, release } = args;
    super("berth:data:Managed", name, { server: spec.server }, opts);

    const check = new command.remote.Command(
      `${name}-check`,
      {
        connection: args.connection,
        // By standard input: a failure then shows what the script said and not its text.
        create: args.shell,
        stdin: pulumi.secret(pulumi.output(args.url)).apply((url) => renderManagedCheck({ name, spec, url, release })),
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    this.ready = pulumi.output([check]);

    this.registerOutputs({});
  }
}
