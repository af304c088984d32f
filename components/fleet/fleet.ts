import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type * as Docker from "@pulumi/docker";
import type DockerApi from "dockerode";
import type { Config } from "../config/load.ts";
import type { Host as HostConfig } from "../config/host.ts";
import { docker } from "../shared/providers.ts";
import { connection } from "./connection.ts";
import { Host, hostScript } from "./host.ts";
import { rootShell } from "./script.ts";
import { sshConfigPath } from "./ssh.ts";
import { renderSwarm } from "./swarm.render.ts";

export interface FleetArgs {
  readonly config: Pick<Config, "stack" | "hosts" | "registry" | "sshKey">;
}

/**
 * The machines of a stack as one Docker swarm.
 *
 * @example
 * const fleet = new Fleet("fleet", { config });
 * new docker.Network("backend", { driver: "overlay" }, { provider: fleet.provider });
 *
 * Creates: a `Host` per machine, the swarm on the first of them, the Docker provider that talks to it.
 * Stateful: no; `pulumi destroy` takes away what runs on the machines and leaves them prepared, swarm included, so
 * that the next `pulumi up` is quick. Reinstall a machine to undo its preparation.
 */
export class Fleet extends pulumi.ComponentResource {
  /** The swarm manager: the first host of the stack. */
  readonly manager: HostConfig;
  /** Docker on the manager; usable as soon as the swarm is there. */
  readonly provider: Docker.Provider;
  /** What others depend on to find the swarm complete. */
  readonly ready: pulumi.Resource[];
  readonly edgeHosts: readonly HostConfig[];
  /** Where visitors find the edge. */
  readonly edgeAddresses: readonly string[];
  /** How a script that needs root reaches the manager. */
  readonly managerShell: { readonly connection: Command.types.input.remote.ConnectionArgs; readonly shell: string };

  readonly #config: FleetArgs["config"];
  #docker: Promise<DockerApi> | undefined;

  constructor(name: string, args: FleetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { config } = args;
    super("berth:fleet:Fleet", name, { hosts: config.hosts.map((host) => host.name) }, opts);
    this.#config = config;
    this.manager = this.#onlyHost();
    this.edgeHosts = config.hosts.filter((host) => host.labels["edge"] === "true");
    this.edgeAddresses = this.edgeHosts.map((host) => host.publicAddress ?? host.address);
    this.managerShell = { connection: this.connection(this.manager), shell: this.shell(this.manager) };

    const prepared = config.hosts.map((host) => this.#prepare(name, host));
    const swarm = this.#createSwarm(name, prepared);
    this.provider = this.#createProvider(name, swarm);
    this.ready = [swarm, this.provider];

    this.registerOutputs({ manager: this.manager.name });
  }

  /** How a `command.remote` resource reaches a host. */
  connection(host: HostConfig): Command.types.input.remote.ConnectionArgs {
    return connection(host, this.#config.sshKey);
  }

  /** Command that runs a script from standard input as root on a host. */
  shell(host: HostConfig): string {
    return rootShell(host);
  }

  /** The Docker API of the manager, for questions that no resource answers. Not for previews: it dials. */
  docker(): Promise<DockerApi> {
    this.#docker ??= import("./docker-api.ts").then(({ dockerApi }) =>
      dockerApi(this.#config.stack, this.manager.name),
    );
    return this.#docker;
  }

  #onlyHost(): HostConfig {
    const [manager, ...others] = this.#config.hosts;
    if (manager && others.length === 0) return manager;
    const got = this.#config.hosts.map((host) => host.name).join(", ");
    throw new pulumi.ResourceError(
      `hosts: joining several hosts is not supported yet, got ${got}; keep one host in the stack file`,
      this,
      true,
    );
  }

  #prepare(name: string, host: HostConfig): pulumi.Resource {
    const { registry } = this.#config;
    const args = { host, connection: this.connection(host), registry };
    return new Host(`${name}-${host.name}`, args, { parent: this }).ready;
  }

  #createSwarm(name: string, prepared: pulumi.Resource[]): Command.remote.Command {
    const script = renderSwarm(this.manager);
    const options = { parent: this, dependsOn: prepared };
    return hostScript(`${name}-swarm`, this.manager, this.connection(this.manager), script, options);
  }

  /**
   * By the names of the SSH configuration and paths relative to the project: the same on every machine that runs
   * this program, so nobody's `up` changes the provider.
   */
  #createProvider(name: string, swarm: pulumi.Resource): Docker.Provider {
    return new docker.Provider(
      `${name}-manager`,
      { host: `ssh://${this.manager.name}`, sshOpts: ["-F", sshConfigPath(this.#config.stack)] },
      { parent: this, dependsOn: [swarm] },
    );
  }
}
