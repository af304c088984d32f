import type { Host } from "../config/host.ts";
import { quote } from "../shared/shell.ts";
import { renderHere } from "./here.ts";
import { looks, renderScript, rootShell } from "./script.ts";

/** How long a change of the way in stands without a new connection having come through it. */
const revertSeconds = 60;

export interface GuardedArgs {
  readonly stack: string;
  readonly host: Host;
  readonly concern: string;
  /** Assignments that the functions share. */
  readonly settings: string;
  /**
   * Shell functions of the host, as root. `apply` makes the change and calls `guard` just before it takes effect, or
   * not at all when there is nothing to change; `revert` undoes it; `keep` makes it last; `check` says what differs.
   * `$client` is the address that the connection comes from.
   */
  readonly body: string;
}

/** What a host runs for a guarded change, with the client's address as its argument, or with `check` to only look. */
export function renderOnHost({ host, concern, settings, body }: GuardedArgs): string {
  const unit = revertUnit(concern);
  const program = programOf(concern);
  return renderScript({
    host: host.name,
    concern,
    body: `
# shellcheck disable=SC2034 # not every change asks where it comes from
client=$1
program=${program}
${settings}

main() {
  if [ "$looking" = check ]; then
    [ ! -e "$program.pending" ] || echo 'differs: a change waits to be kept or undone'
    check
    return
  fi
  mkdir -p "$(dirname "$program")"
  settle_earlier
  apply
}

${looks}

# A change that nobody has said to keep is not what was there before this one.
settle_earlier() {
  if [ -e "$program.pending" ]; then
    disarm
    revert
    rm "$program.pending"
    echo 'changed: what an interrupted run left was undone'
  fi
}

disarm() {
  if systemctl is-active --quiet ${unit}.timer; then systemctl stop ${unit}.timer; fi
}

guard() {
  cat >"$program" <<'PROGRAM'
#!/bin/sh
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
program=${program}
${settings}

${functionsOf(body, ["revert", "keep"])}
case $1 in
  revert) [ ! -e "$program.pending" ] || revert ;;
  keep)
    if systemctl is-active --quiet ${unit}.timer; then systemctl stop ${unit}.timer; fi
    [ ! -e "$program.pending" ] || keep
    ;;
esac
rm -f "$program.pending"
PROGRAM
  chmod 700 "$program"
  : >"$program.pending"
  systemd-run --quiet --collect --unit=${unit} --on-active=${revertSeconds} "$program" revert
}

${body.trim()}
`,
  });
}

const revertUnit = (concern: string): string => `berth-${concern}-revert`;
const programOf = (concern: string): string => `/var/lib/berth/${concern}`;

/**
 * A change that may cut the connection which makes it. It undoes itself unless a new connection comes through within a
 * minute: whoever made it then says so. Also when this machine dies in between.
 */
export function renderGuarded(args: GuardedArgs): string {
  const { stack, host, concern } = args;
  const program = programOf(concern);
  return renderHere({
    stack,
    host,
    concern,
    body: `
apply() {
  # shellcheck disable=SC2016 # expanded on the host
  client=$(on_host 'echo "\${SSH_CONNECTION%% *}"') || refuse 'cannot be reached by SSH; what ssh says stands above'
${host.user === "root" ? "" : sudoCheck(host)}  on_host "${rootShell(host)} $client" <<'BERTH_SCRIPT'
${renderOnHost(args)}BERTH_SCRIPT
  # By a connection of its own, as the next command will.
  fresh "${rootShell(host)}" <<'BERTH_SCRIPT' || refuse 'no new connection came through; within ${revertSeconds} s the change undoes itself'
set -eu
[ ! -e ${program}.pending ] || ${program} keep
BERTH_SCRIPT
}
`,
  });
}

function sudoCheck(host: Pick<Host, "user">): string {
  const problem = `${host.user} cannot become root by sudo without a password`;
  const cure = `put the line "${host.user} ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root`;
  return `  on_host 'sudo -n true' || refuse ${quote(`${problem}; ${cure}`)}\n`;
}

/** The text of some of the functions of a script. */
function functionsOf(script: string, names: readonly string[]): string {
  return names
    .map((name) => {
      const found = new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}$`, "m").exec(script)?.[0];
      if (found === undefined) throw new Error(`no function ${name}`);
      return found;
    })
    .join("\n\n");
}
