import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { Host as HostConfig } from "../config/host.ts";
import { command } from "../shared/providers.ts";
import { renderGuarded } from "./guarded.render.ts";
import { hostConcerns, type HostConcernsArgs } from "./host.render.ts";
import { asRoot } from "./script.ts";

export interface HostArgs extends HostConcernsArgs {
  readonly connection: Command.types.input.remote.ConnectionArgs;
}

/**
 * A machine made fit to run containers: reachable by key only, with Docker configured and running, its kernel, clock,
 * updates and logs in order, and closed but for what it is there for.
 *
 * Creates: four commands, which dial the host only when what they would do has changed. Those that concern the way in,
 * sshd and the firewall, undo themselves unless a new connection comes through.
 * Stateful: no; destroying it leaves the machine as it is, ready to be used again.
 */
export class Host extends pulumi.ComponentResource {
  /** The last step; whoever needs Docker on the host waits for it. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, connection } = args;
    const { address, role, state, labels } = host;
    // Shown by previews, which say little about the text of a script.
    super("berth:fleet:Host", name, { address, role, state, labels }, opts);

    const concerns = hostConcerns(args);
    const access = guardedScript(`${name}-access`, renderGuarded(concerns.access), { parent: this });
    // sshd reads its configuration anew in the first step; nobody else should dial meanwhile.
    const engine = hostScript(`${name}-engine`, host, connection, concerns.engine, {
      parent: this,
      dependsOn: [access],
    });
    const system = hostScript(`${name}-system`, host, connection, concerns.system, {
      parent: this,
      dependsOn: [engine],
    });
    this.ready = guardedScript(`${name}-firewall`, renderGuarded(concerns.firewall), {
      parent: this,
      dependsOn: [system],
    });

    this.registerOutputs({});
  }
}

/** A script that runs where Pulumi does and undoes on the host what cuts it off. */
function guardedScript(name: string, stdin: string, opts: pulumi.CustomResourceOptions): pulumi.Resource {
  return new command.local.Command(name, { create: "sh -s apply", stdin, addPreviousOutputInEnv: false }, opts);
}

/** A script that a host runs as root, again whenever its text has changed. */
export function hostScript(
  name: string,
  host: HostConfig,
  connection: Command.types.input.remote.ConnectionArgs,
  script: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): Command.remote.Command {
  return new command.remote.Command(
    name,
    {
      connection,
      create: "sh -s",
      stdin:
        typeof script === "string" ? asRoot(host, script) : pulumi.output(script).apply((text) => asRoot(host, text)),
      // It would go as environment variables, which sshd does not take: a warning each time, of no use to a script
      // that looks at the host itself.
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}
