import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { Firewall } from "../config/firewall.ts";
import { managersOf, type Host as HostConfig } from "../config/host.ts";
import type { Registry } from "../config/stack.ts";
import { command } from "../shared/providers.ts";
import { renderAccess } from "./access.render.ts";
import { renderEngine } from "./engine.render.ts";
import { renderFirewall } from "./firewall.render.ts";
import { asRoot } from "./script.ts";
import { renderSystem } from "./system.render.ts";

export interface HostArgs {
  readonly stack: string;
  readonly host: HostConfig;
  /** All hosts of the stack. */
  readonly hosts: readonly HostConfig[];
  readonly connection: Command.types.input.remote.ConnectionArgs;
  readonly registry: Registry;
  readonly firewall: Firewall;
  /** Networks of the proxy in front of the edge. */
  readonly proxyRanges: readonly string[];
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
    const { stack, host, hosts, connection, registry, firewall, proxyRanges } = args;
    const { address, role, state, labels } = host;
    // Shown by previews, which say little about the text of a script.
    super("berth:fleet:Host", name, { address, role, state, labels }, opts);

    const access = guardedScript(`${name}-access`, renderAccess({ stack, host }), { parent: this });
    const engine = hostScript(
      `${name}-engine`,
      host,
      connection,
      renderEngine({ host, edge: labels["edge"] === "true", registry }),
      // sshd reads its configuration anew in the first step; nobody else should dial meanwhile.
      { parent: this, dependsOn: [access] },
    );
    const system = hostScript(
      `${name}-system`,
      host,
      connection,
      renderSystem({ host, updateMinutes: updateMinutes(host, hosts), trusted: trusted(hosts, firewall) }),
      { parent: this, dependsOn: [engine] },
    );
    this.ready = guardedScript(`${name}-firewall`, renderFirewall({ stack, host, hosts, firewall, proxyRanges }), {
      parent: this,
      dependsOn: [system],
    });

    this.registerOutputs({});
  }
}

/** An hour for each manager, so that no two are down at once; the others follow every half hour. */
function updateMinutes(host: HostConfig, hosts: readonly HostConfig[]): number {
  const managers = managersOf(hosts);
  if (host.role === "manager") return 60 * managers.indexOf(host);
  return 60 * managers.length + 30 * hosts.filter(({ role }) => role === "worker").indexOf(host);
}

/** Whom no number of failed logins shuts out. */
function trusted(hosts: readonly HostConfig[], { ssh }: Firewall): string[] {
  return [
    ...hosts.flatMap(({ privateAddress }) => (privateAddress === undefined ? [] : [privateAddress])),
    ...ssh.filter((network) => !network.endsWith("/0")),
  ].toSorted();
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
