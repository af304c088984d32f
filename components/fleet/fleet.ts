import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type * as Docker from "@pulumi/docker";
import type DockerApi from "dockerode";
import { managersOf, type Host as HostConfig } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import { command, docker } from "../shared/providers.ts";
import { commandLine } from "../shared/shell.ts";
import { renderAutolock } from "./autolock.render.ts";
import { connection } from "./connection.ts";
import { renderFarewell } from "./farewell.render.ts";
import { Host, hostScript } from "./host.ts";
import { rangesApiOf, renderVersion, type HostConcernsArgs } from "./host.render.ts";
import { hostLabel } from "./label.ts";
import { renderMember } from "./member.render.ts";
import { looks, place, renderScript } from "./script.ts";
import { managerAlias, sshConfigPath } from "./ssh.render.ts";
import { renderJoinTokens } from "./tokens.render.ts";

export interface FleetArgs {
  readonly config: Pick<
    Config,
    | "stack"
    | "hosts"
    | "volumes"
    | "joinTokens"
    | "autolock"
    | "docker"
    | "firewall"
    | "registry"
    | "sshKey"
    | "certificates"
    | "cloudflare"
    | "acme"
  >;
  /** Networks of the proxy in front of the edge, let in alone with `firewall.web: cloudflare`. */
  readonly proxyRanges: readonly string[];
}

/** Where a volume is. */
export interface VolumePlace {
  /** Docker of its host. */
  readonly provider: Docker.Provider;
  /** Keeps tasks where it is, in Swarm's own words. */
  readonly constraint: string;
}

/** What runs on a manager. */
export interface ManagerScript {
  readonly script: pulumi.Input<string>;
  /** Command that takes back what the script did. */
  readonly delete?: string;
}

/** What every manager host has. */
export interface ManagersSetUp {
  /** What it is about, in one word; stands in refusals. */
  readonly concern: string;
  /** Shell functions, run by root; `main` sets it up, and may be repeated. `place FILE` and `refuse WORDS` are there. */
  readonly body: pulumi.Input<string>;
  /** Command that root takes it away with, where it is. */
  readonly undo: string;
}

/**
 * The machines of a stack as one Docker swarm, one machine or twenty.
 *
 * @example
 * const fleet = new Fleet("fleet", { config, proxyRanges: cloudflareRanges });
 * new docker.Network("backend", { driver: "overlay" }, { provider: fleet.provider });
 *
 * Creates: a `Host` per machine; per machine a command that makes it a node of the swarm with its role, state and
 * labels, and that removes the node when the machine is no longer in the stack file; per drained machine a command
 * that brings its Docker to the version of the stack file, if that names one; the Docker provider that talks to a
 * manager, and one for each host that keeps volumes.
 * Stateful: no; `pulumi destroy` takes away what runs on the machines and leaves them prepared, swarm included, so
 * that the next `pulumi up` is quick. Reinstall a machine to undo its preparation.
 */
export class Fleet extends pulumi.ComponentResource {
  /** Docker on a manager; usable as soon as the swarm is there. */
  readonly provider: Docker.Provider;
  /** What others depend on to find the swarm complete. */
  readonly ready: pulumi.Resource[];
  /** Hosts that run the edge, those first that visitors are sent to. */
  readonly edgeHosts: readonly HostConfig[];

  readonly #name: string;
  readonly #config: FleetArgs["config"];
  readonly #members: ReadonlyMap<string, pulumi.Resource>;
  readonly #volumeProviders = new Map<string, Docker.Provider>();
  #docker: Promise<DockerApi> | undefined;

  constructor(name: string, args: FleetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { config } = args;
    super("berth:fleet:Fleet", name, { hosts: config.hosts.map((host) => host.name) }, opts);
    this.#name = name;
    this.#config = config;
    this.edgeHosts = config.hosts
      .filter((host) => host.labels["edge"] === "true")
      .toSorted((a, b) => Number(a.state === "drain") - Number(b.state === "drain"));

    const concerns = config.hosts.map((host) => this.#concernsOf(host, args.proxyRanges));
    const prepared = concerns.map((one) => this.#prepare(one));
    this.#members = this.#createMembers(prepared);
    const members = [...this.#members.values()];
    this.#bringToVersion(concerns);
    this.#rotateTokens(members);
    this.#lockManagers(members);
    this.provider = this.#createProvider(`${name}-manager`, managerAlias, members.slice(0, 1));
    this.ready = [...members, this.provider];

    this.registerOutputs({});
  }

  /** Visitors are not sent to a host that is drained, as long as there is another. */
  isVisited(host: HostConfig): boolean {
    return host.state === "active" || this.edgeHosts.every(({ state }) => state === "drain");
  }

  /** How a `command.remote` resource reaches a host. */
  connection(host: HostConfig): Command.types.input.remote.ConnectionArgs {
    return connection(host, this.#config.sshKey);
  }

  /** The Docker API of a manager, for questions that no resource answers. Not for previews: it dials. */
  docker(): Promise<DockerApi> {
    this.#docker ??= import("./docker-api.ts").then(({ dockerApi }) => dockerApi(this.#config.stack, managerAlias));
    return this.#docker;
  }

  /** A script on whichever manager answers, again whenever its text has changed. It may use Docker, and is not root. */
  runOnManager(name: string, args: ManagerScript, opts: pulumi.CustomResourceOptions): pulumi.Resource {
    const ssh = ["ssh", "-F", sshConfigPath(this.#config.stack), managerAlias];
    return new command.local.Command(
      name,
      {
        create: commandLine([...ssh, "sh -s"]),
        stdin: args.script,
        ...(args.delete !== undefined && { delete: commandLine([...ssh, args.delete]) }),
        addPreviousOutputInEnv: false,
      },
      opts,
    );
  }

  /** Sets up every manager host, and takes it away from one that is a manager no more or leaves the stack. */
  onManagers(name: string, setUp: ManagersSetUp, opts: pulumi.CustomResourceOptions): pulumi.Resource[] {
    const { concern, undo } = setUp;
    return managersOf(this.#config.hosts).map((host) => {
      this.farewell(`${name}-${host.name}-farewell`, host, host.user === "root" ? undo : `sudo -n ${undo}`, opts);
      const script = pulumi
        .output(setUp.body)
        .apply((body) => renderScript({ host: host.name, concern, body: `${looks}\n\n${place}\n\n${body.trim()}` }));
      return hostScript(`${name}-${host.name}`, host, this.connection(host), script, opts);
    });
  }

  /** A command that runs on a host when this resource goes; done without the host when that is lost and removed. */
  farewell(
    name: string,
    host: HostConfig,
    said: pulumi.Input<string>,
    opts: pulumi.CustomResourceOptions,
  ): pulumi.Resource {
    const stdin = pulumi.output(said).apply((text) => renderFarewell(this.#config.stack, host, text));
    return new command.local.Command(name, { delete: "sh -s leave", stdin, addPreviousOutputInEnv: false }, opts);
  }

  /** The place of a volume, which the stack file names when there are several hosts. */
  volume(name: string): VolumePlace {
    const host = this.#config.volumes[name];
    const member = host === undefined ? undefined : this.#members.get(host);
    if (host === undefined || !member) throw new Error(`no host keeps the volume "${name}"`);
    const provider =
      this.#volumeProviders.get(host) ?? this.#createProvider(`${this.#name}-${host}-docker`, host, [member]);
    this.#volumeProviders.set(host, provider);
    return { provider, constraint: `node.labels.${hostLabel}==${host}` };
  }

  #concernsOf(host: HostConfig, proxyRanges: readonly string[]): HostConcernsArgs {
    const { stack, hosts, registry, firewall, certificates, autolock, docker } = this.#config;
    const rangesApi = rangesApiOf(this.#config);
    const dnsChallenges = certificates.some((one) => one.issuer === "acme" && one.challenge === "dns-01");
    return { stack, hosts, registry, firewall, dnsChallenges, autolock, docker, host, proxyRanges, rangesApi };
  }

  #prepare(concerns: HostConcernsArgs): pulumi.Resource {
    const { host } = concerns;
    const args = { ...concerns, connection: this.connection(host) };
    return new Host(`${this.#name}-${host.name}`, args, { parent: this }).ready;
  }

  /** One host after another: the operator drains it, and takes it into use again. */
  #bringToVersion(concerns: readonly HostConcernsArgs[]): void {
    const { hosts, docker } = this.#config;
    if (docker.version === undefined || hosts.length < 2) return;
    for (const one of concerns.filter(({ host }) => host.state === "drain")) {
      const { host } = one;
      const member = this.#members.get(host.name);
      hostScript(`${this.#name}-${host.name}-version`, host, this.connection(host), renderVersion(one), {
        parent: this,
        dependsOn: member ? [member] : [],
      });
    }
  }

  /** After all of them let each other in; managers one after another, since each changes who decides. */
  #createMembers(prepared: readonly pulumi.Resource[]): ReadonlyMap<string, pulumi.Resource> {
    const { hosts } = this.#config;
    const [first] = managersOf(hosts);
    const members = new Map<string, pulumi.Resource>();
    let lastManager: pulumi.Resource | undefined;
    for (const host of hosts.toSorted((a, b) => Number(a.role === "worker") - Number(b.role === "worker"))) {
      const before = host.role === "manager" ? lastManager : members.get(first?.name ?? "");
      const after = [...prepared, ...(before ? [before] : [])];
      const member = this.#createMember(host, host === first, after);
      members.set(host.name, member);
      if (host.role === "manager") lastManager = member;
    }
    return members;
  }

  #createMember(host: HostConfig, first: boolean, after: pulumi.Resource[]): pulumi.Resource {
    return new command.local.Command(
      `${this.#name}-${host.name}-swarm`,
      {
        create: "sh -s join",
        delete: "sh -s leave",
        stdin: renderMember({ stack: this.#config.stack, host, first }),
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: after },
    );
  }

  /** Hosts that are in the swarm do not need the tokens any more. */
  #rotateTokens(members: pulumi.Resource[]): void {
    const { joinTokens } = this.#config;
    if (joinTokens === 1) return;
    const options = { parent: this, dependsOn: members };
    this.runOnManager(`${this.#name}-join-tokens`, { script: renderJoinTokens(joinTokens) }, options);
  }

  /** What it takes back when the stack file no longer wants it prints no key. */
  #lockManagers(members: pulumi.Resource[]): void {
    if (!this.#config.autolock) return;
    const script = renderAutolock({ host: managerAlias, autolock: true });
    const args = { script, delete: "docker swarm update --autolock=false" };
    this.runOnManager(`${this.#name}-autolock`, args, { parent: this, dependsOn: members });
  }

  /**
   * By the names of the SSH configuration and paths relative to the project: the same on every machine that runs
   * this program, so nobody's `up` changes the provider.
   */
  #createProvider(name: string, host: string, after: pulumi.Resource[]): Docker.Provider {
    return new docker.Provider(
      name,
      { host: `ssh://${host}`, sshOpts: ["-F", sshConfigPath(this.#config.stack)] },
      { parent: this, dependsOn: after },
    );
  }
}
