import { createHash } from "node:crypto";
import type { Host, Jump } from "../config/host.ts";

/*
 * The files that every `ssh` of berth reads. Paths inside them are relative to the project root, where every such
 * `ssh` runs: inputs of the docker provider name these files and must be equal on every machine.
 */

/** Directory of a stack's SSH files, relative to the project root. */
export function sshDirectory(stack: string): string {
  return `.berth/${stack}`;
}

/** Path of the SSH configuration of a stack, relative to the project root. */
export function sshConfigPath(stack: string): string {
  return `${sshDirectory(stack)}/ssh_config`;
}

/** Name under which the configuration has the manager that answers. No host can have it: names have no dots. */
export const managerAlias = "manager.swarm";

/** Name under which the configuration has a jump host; with a dot too, so that no host has it. */
export const jumpAlias = ({ name }: Pick<Jump, "name">): string => `${name}.jump`;

export interface SshConfigArgs {
  readonly stack: string;
  readonly hosts: readonly Host[];
  /** The manager that is talked to. */
  readonly manager: string;
  /** A private key is given in the configuration; without it the SSH agent and the user's own keys are used. */
  readonly key: boolean;
  /** Connections outlive their `ssh` for those that follow. @default true */
  readonly shared?: boolean;
}

/** One `Host` per machine, named as in the stack file, and one set of options for all of them. */
export function renderSshConfig({ stack, hosts, manager, key, shared = true }: SshConfigArgs): string {
  const directory = sshDirectory(stack);
  const alias = hosts.filter(({ name }) => name === manager);
  return [
    "# Managed by berth. Paths are relative to the project root.",
    ...hosts.flatMap((host) => ["", ...renderHost(host, directory)]),
    ...alias.flatMap((host) => ["", ...renderHost(host, directory, managerAlias)]),
    ...jumpsOf(hosts).flatMap((jump) => ["", ...renderJump(jump, directory)]),
    "",
    "Host *",
    ...(key ? [`  IdentityFile ${directory}/key`, "  IdentitiesOnly yes"] : []),
    // Keys that the machine or the user trusts elsewhere do not count: only the pinned one does.
    "  GlobalKnownHostsFile /dev/null",
    "  UpdateHostKeys no",
    "  BatchMode yes",
    "  ConnectTimeout 10",
    "  ServerAliveInterval 5",
    "  ServerAliveCountMax 3",
    "  LogLevel ERROR",
    // One connection per host serves the docker provider, which starts an `ssh` for each of its HTTP connections.
    ...(shared ? ["  ControlMaster auto", `  ControlPath ${controlPath(stack)}`, "  ControlPersist 10s"] : []),
    "",
  ].join("\n");
}

/** The pinned keys under the names by which the configuration calls the hosts and their jump hosts. */
export function renderKnownHosts(hosts: readonly Host[]): string {
  const named = [...hosts, ...jumpsOf(hosts).map((jump) => ({ ...jump, name: jumpAlias(jump) }))];
  const pinned = named.filter(({ hostKey }) => hostKey !== undefined);
  return pinned.map(({ name, hostKey }) => `${name} ${hostKey ?? ""}\n`).join("");
}

/** The jump hosts that hosts are reached through, each once. */
function jumpsOf(hosts: readonly Host[]): Jump[] {
  return [...new Map(hosts.flatMap(({ jump }) => (jump === undefined ? [] : [[jump.name, jump]]))).values()];
}

/** The manager that a configuration names, to be kept for as long as nobody asks whether it answers. */
export function managerIn(config: string): string | undefined {
  return new RegExp(`^Host ${managerAlias.replace(".", "\\.")}\\n(?: .*\\n)*?  HostKeyAlias (\\S+)$`, "m").exec(
    config,
  )?.[1];
}

function renderHost(host: Host, directory: string, name = host.name): string[] {
  return [
    `Host ${name}`,
    ...renderTarget(host, `hosts.${host.name}`),
    `  HostKeyAlias ${host.name}`,
    ...(host.jump === undefined ? [] : renderWay(host.jump)),
    ...renderTrust(host, directory),
  ];
}

/**
 * The connection to the jump host is shared, those behind it are not: what is said on the way to a connection that
 * outlives its `ssh` goes to /dev/null, and with it that the jump host has another key than the pinned one.
 */
function renderWay(jump: Jump): string[] {
  return [`  ProxyJump ${jumpAlias(jump)}`, "  ControlMaster no", "  ControlPath none"];
}

function renderJump(jump: Jump, directory: string): string[] {
  const name = jumpAlias(jump);
  return [
    `Host ${name}`,
    ...renderTarget(jump, `jumpHosts.${jump.name}`),
    `  HostKeyAlias ${name}`,
    ...renderTrust(jump, directory),
  ];
}

type Target = Pick<Host, "address" | "port" | "user" | "hostKey">;

function renderTarget(target: Target, path: string): string[] {
  const { address, port, user } = target;
  return [`  HostName ${word(address, `${path}.address`)}`, `  Port ${port}`, `  User ${word(user, `${path}.user`)}`];
}

function renderTrust({ hostKey }: Target, directory: string): string[] {
  // Only the local environment may leave the key out. ssh itself keeps this file.
  if (hostKey === undefined) {
    return [`  UserKnownHostsFile ${directory}/accepted_hosts`, "  StrictHostKeyChecking accept-new"];
  }
  return [`  UserKnownHostsFile ${directory}/known_hosts`, "  StrictHostKeyChecking yes"];
}

/** A Unix socket path has room for about 100 bytes, a stack name alone may have 100: hence the digest of it. */
function controlPath(stack: string): string {
  return `.berth/${createHash("sha256").update(stack).digest("hex").slice(0, 8)}-%C`;
}

/** A line break or blank in a value would start another option. */
function word(value: string, path: string): string {
  if (!/^[A-Za-z0-9_.:@-]+$/.test(value) || value.startsWith("-")) {
    throw new Error(
      `${path}: cannot stand in an SSH configuration, got ${JSON.stringify(value)}; ` +
        "use letters, digits and . : _ -",
    );
  }
  return value;
}
