import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { Host as HostConfig } from "../config/host.ts";
import type { Registry } from "../config/stack.ts";
import { command } from "../shared/providers.ts";
import { renderAccess } from "./access.render.ts";
import { renderEngine } from "./engine.render.ts";
import { asRoot } from "./script.ts";

export interface HostArgs {
  readonly host: HostConfig;
  readonly connection: Command.types.input.remote.ConnectionArgs;
  readonly registry: Registry;
}

/**
 * A machine made ready to run containers: reachable by key only, with Docker configured and running.
 *
 * Creates: two `command.remote.Command`, which dial the host only when what they would do has changed.
 * Stateful: no; destroying it leaves the machine as it is, ready to be used again.
 */
export class Host extends pulumi.ComponentResource {
  /** The last step; whoever needs Docker on the host waits for it. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, connection, registry } = args;
    const { address, role, state, labels } = host;
    // Shown by previews, which say little about the text of a script.
    super("berth:fleet:Host", name, { address, role, state, labels }, opts);

    const access = hostScript(`${name}-access`, host, connection, renderAccess(host), { parent: this });
    const engine = hostScript(
      `${name}-engine`,
      host,
      connection,
      renderEngine({ host, edge: host.labels["edge"] === "true", registry }),
      // sshd reads its configuration anew in the first step; nobody else should dial meanwhile.
      { parent: this, dependsOn: [access] },
    );
    this.ready = engine;

    this.registerOutputs({});
  }
}

/** A script that a host runs as root, again whenever its text has changed. */
export function hostScript(
  name: string,
  host: HostConfig,
  connection: Command.types.input.remote.ConnectionArgs,
  script: string,
  opts: pulumi.CustomResourceOptions,
): Command.remote.Command {
  return new command.remote.Command(
    name,
    {
      connection,
      create: "sh -s",
      stdin: asRoot(host, script),
      // It would go as environment variables, which sshd does not take: a warning each time, of no use to a script
      // that looks at the host itself.
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}
