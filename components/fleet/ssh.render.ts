import { createHash } from "node:crypto";
import type { Host } from "../config/host.ts";

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

export interface SshConfigArgs {
  readonly stack: string;
  readonly hosts: readonly Host[];
  /** The manager that is talked to. */
  readonly manager: string;
  /** A private key is given in the configuration; without it the SSH agent and the user's own keys are used. */
  readonly key: boolean;
}

/** One `Host` per machine, named as in the stack file, and one set of options for all of them. */
export function renderSshConfig({ stack, hosts, manager, key }: SshConfigArgs): string {
  const directory = sshDirectory(stack);
  const alias = hosts.filter(({ name }) => name === manager);
  return [
    "# Managed by berth. Paths are relative to the project root.",
    ...hosts.flatMap((host) => ["", ...renderHost(host, directory)]),
    ...alias.flatMap((host) => ["", ...renderHost(host, directory, managerAlias)]),
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
    "  ControlMaster auto",
    `  ControlPath ${controlPath(stack)}`,
    "  ControlPersist 10s",
    "",
  ].join("\n");
}

/** The pinned keys under the names by which the configuration calls the hosts. */
export function renderKnownHosts(hosts: readonly Host[]): string {
  const pinned = hosts.filter((host) => host.hostKey !== undefined);
  return pinned.map((host) => `${host.name} ${host.hostKey ?? ""}\n`).join("");
}

/** The manager that a configuration names, to be kept for as long as nobody asks whether it answers. */
export function managerIn(config: string): string | undefined {
  return new RegExp(`^Host ${managerAlias.replace(".", "\\.")}\\n(?: .*\\n)*?  HostKeyAlias (\\S+)$`, "m").exec(
    config,
  )?.[1];
}

function renderHost(host: Host, directory: string, name = host.name): string[] {
  const trust =
    host.hostKey === undefined
      ? // Only the local environment may leave the key out. ssh itself keeps this file.
        [`  UserKnownHostsFile ${directory}/accepted_hosts`, "  StrictHostKeyChecking accept-new"]
      : [`  UserKnownHostsFile ${directory}/known_hosts`, "  StrictHostKeyChecking yes"];
  return [
    `Host ${name}`,
    `  HostName ${word(host, "address")}`,
    `  Port ${host.port}`,
    `  User ${word(host, "user")}`,
    `  HostKeyAlias ${host.name}`,
    ...trust,
  ];
}

/** A Unix socket path has room for about 100 bytes, a stack name alone may have 100: hence the digest of it. */
function controlPath(stack: string): string {
  return `.berth/${createHash("sha256").update(stack).digest("hex").slice(0, 8)}-%C`;
}

/** A line break or blank in a value would start another option. */
function word(host: Host, field: "address" | "user"): string {
  const value = host[field];
  if (!/^[A-Za-z0-9_.:@-]+$/.test(value) || value.startsWith("-")) {
    throw new Error(
      `hosts.${host.name}.${field}: cannot stand in an SSH configuration, got ${JSON.stringify(value)}; ` +
        "use letters, digits and . : _ -",
    );
  }
  return value;
}
