import * as pulumi from "@pulumi/pulumi";
import type { ManagedStore } from "../config/store.ts";
import type { ManagerShell } from "../service/job.ts";
import type { Ready } from "../shared/ready.ts";
import { renderManagedCheck } from "./managed.render.ts";

export interface ManagedArgs {
  readonly spec: ManagedStore;
  readonly url: pulumi.Input<string>;
  /** Identity of what is deployed: with another one the store is asked again. */
  readonly release: string;
  readonly manager: ManagerShell;
}

/**
 * A data store that somebody else runs. Before anything is deployed that uses it, a machine of the swarm must reach it
 * and find a valid certificate for its name.
 *
 * Creates: one command on a manager. Stateful: no.
 */
export class Managed extends pulumi.ComponentResource {
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: ManagedArgs, opts?: pulumi.ComponentResourceOptions) {
    const { spec, release } = args;
    super("berth:data:Managed", name, { server: spec.server }, opts);

    const check = args.manager.runOnManager(
      `${name}-check`,
      {
        script: pulumi.secret(pulumi.output(args.url)).apply((url) => renderManagedCheck({ name, spec, url, release })),
      },
      { parent: this },
    );
    this.ready = pulumi.output([check]);

    this.registerOutputs({});
  }
}
