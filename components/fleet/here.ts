import type { Host, Jump } from "../config/host.ts";
import { quote } from "../shared/shell.ts";
import { jumpAlias, managerAlias, sshConfigPath } from "./ssh.render.ts";

export interface HereScript {
  readonly stack: string;
  readonly host: Pick<Host, "name" | "address" | "port" | "user" | "hostKey" | "jump">;
  /** What the script is about, in one word; stands in its refusals. */
  readonly concern: string;
  /** Functions; the script calls the one that its first argument names. */
  readonly body: string;
}

/**
 * A script that runs where Pulumi does, for what concerns several hosts at once. It knows how to reach its host by
 * itself: when the host is taken out of the stack file, the SSH configuration no longer has it.
 */
export function renderHere({ stack, host, concern, body }: HereScript): string {
  return `# Managed by berth: ${concern} of ${host.name}. Runs in the project root; safe to run again at any time.
set -eu
umask 077
export LC_ALL=C
host=${host.name}
config=${quote(sshConfigPath(stack))}

refuse() {
  echo ${quote(`host ${host.name}: ${concern}:`)} "$1" >&2
  exit 1
}

[ -e "$config" ] || refuse "$config is missing; run pulumi preview, which writes it, and try again"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
${renderTrusted(host)}${host.jump === undefined ? "" : renderWay(host.jump)}
# on_host COMMAND
on_host() {
  ssh -F "$config" ${sshToHost(host)} "$host" "$1"
}

# fresh COMMAND: by a connection of its own
fresh() {
  ssh -F "$config" -o ControlMaster=no -o ControlPath=none ${sshToHost(host)} "$host" "$1"
}

# ask COMMAND: on the manager that answers
ask() {
  ssh -F "$config" "$manager" "$1"
}

# The manager that Pulumi talks to, else any host that knows the nodes of the swarm.
find_manager() {
  manager='' silent=''
  for one in ${managerAlias} $(listed); do
    status=0
    ssh -F "$config" "$one" 'docker node inspect --format "{{.ID}}" self' >"$scratch/said" 2>&1 || status=$?
    case "$status $one" in
      '0 '*)
        manager=$one
        return
        ;;
      '255 ${managerAlias}') ;;
      '255 '*) silent="$silent $one" ;;
    esac
  done
}

# Names of the hosts in the stack file.
listed() {
  sed -n 's/^Host \\([a-z][a-z0-9-]*\\)$/\\1/p' "$config"
}

${body.trim()}

"$@" </dev/null
`;
}

/** What ssh is told of a host by options, which come before whatever a configuration says. */
function sshToHost(host: HereScript["host"]): string {
  // Not shared, for the reason that the SSH configuration gives.
  const way = host.jump === undefined ? "" : ' -o ProxyCommand="$way" -o ControlMaster=no -o ControlPath=none';
  return `${options(host, host.name)}${way}`;
}

/** The way through a jump host, as the command that ssh speaks through: it has no other options to give it. */
function renderWay(jump: Jump): string {
  const name = jumpAlias(jump);
  return `way="ssh -F $config ${options(jump, name).replaceAll('"', "")} -W '[%h]:%p' ${name}"\n`;
}

function options({ address, port, user, hostKey }: Omit<Jump, "name">, alias: string): string {
  const given = [`HostName=${address}`, `Port=${port}`, `User=${user}`, `HostKeyAlias=${alias}`];
  const plain = given.map((option) => `-o ${quote(option)}`).join(" ");
  // A machine without a pinned key is one of the local environment: the SSH configuration says how it is trusted.
  if (hostKey === undefined) return plain;
  return `${plain} -o UserKnownHostsFile="$scratch/known_hosts" -o StrictHostKeyChecking=yes`;
}

function renderTrusted(host: HereScript["host"]): string {
  const { jump, name, hostKey } = host;
  const lines = [
    ...(hostKey === undefined ? [] : [`${name} ${hostKey}`]),
    ...(jump?.hostKey === undefined ? [] : [`${jumpAlias(jump)} ${jump.hostKey}`]),
  ];
  return lines.map((line, index) => `echo ${quote(line)} ${index === 0 ? ">" : ">>"}"$scratch/known_hosts"\n`).join("");
}
