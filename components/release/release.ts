import * as pulumi from "@pulumi/pulumi";
import { command } from "../shared/providers.ts";
import { allReady, type Ready } from "../shared/ready.ts";
import type { Release as ReleaseRecord, ReleaseContent } from "./record.ts";

export interface ReleaseArgs {
  readonly content: ReleaseContent;
  /** What must have been verified before this counts as released. */
  readonly verified: readonly Ready[];
}

/**
 * The record of what is live, and of what was before: the unit of rollback.
 *
 * Written only after every convergence check passed, kept in the state and so in whatever backend holds it.
 *
 * Creates: one `command.local.Command`. Stateful: its output is the history.
 */
export class Release extends pulumi.ComponentResource {
  /** Number of the live release. */
  readonly number: pulumi.Output<number>;
  /** The last releases, the live one last. */
  readonly history: pulumi.Output<ReleaseRecord[]>;

  constructor(name: string, args: ReleaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:release:Release", name, {}, opts);

    const recorded = new command.local.Command(
      `${name}-record`,
      {
        create: "node components/release/record.ts",
        // What it prints is data, kept as output; on the screen it would only be long.
        logging: command.local.Logging.None,
        stdin: JSON.stringify(args.content),
      },
      { parent: this, dependsOn: allReady(args.verified) },
    );
    this.history = recorded.stdout.apply((list) => JSON.parse(list) as ReleaseRecord[]);
    this.number = this.history.apply((list) => list.at(-1)?.number ?? 0);

    this.registerOutputs({ number: this.number, history: this.history });
  }
}
