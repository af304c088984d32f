import type { Host } from "../config/host.ts";
import { quote } from "../shared/shell.ts";

/**
 * Command that reads a script from standard input and runs it with root's rights, as the host's SSH user.
 *
 * Scripts go by standard input because an error of the command provider shows the whole command line: a script on it
 * would bury what it said.
 */
export function rootShell(host: Pick<Host, "user">): string {
  return host.user === "root" ? "sh -s" : "sudo -n sh -s";
}

export interface Script {
  readonly host: string;
  /** What the script is about, in one word; stands in its refusals. */
  readonly concern: string;
  readonly body: string;
}

/**
 * A script for `rootShell`. The body is a function that is read to its end before it starts, and it has nothing to
 * read itself: what is left of standard input is the script, which an installer would otherwise swallow.
 */
export function renderScript({ host, concern, body }: Script): string {
  return `# Managed by berth: ${concern} of ${host}. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo ${quote(`host ${host}: ${concern}:`)} "$1" >&2
  exit 1
}

${body.trim()}

main </dev/null
`;
}

/**
 * The script for the user's own shell, which hands it on to root's. Fresh machines often lack the right to do so; asked
 * inside of the script, the failure says what to do and nothing else.
 */
export function asRoot(host: Pick<Host, "name" | "user">, script: string): string {
  if (host.user === "root") return script;
  const problem = `host ${host.name}: ${host.user} cannot become root by sudo without a password`;
  const cure = `put the line "${host.user} ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root`;
  return `if ! sudo -n true; then
  echo ${quote(`${problem}; ${cure}`)} >&2
  exit 1
fi
exec ${rootShell(host)} <<'BERTH_SCRIPT'
${script}BERTH_SCRIPT
`;
}

/**
 * Shell functions of a script that also can only look: called with `check`, it changes nothing and prints a line
 * `differs: …` for each thing that it would change. So a check knows what is applied, and cannot drift from it.
 */
export const looks = `
looking=\${1-}

# differs WHAT: says so in a check; otherwise fails, and the change is made.
differs() {
  [ "$looking" = check ] || return 1
  echo "differs: $1"
}

# enabled UNIT…: starts by itself with the machine
enabled() {
  for unit in "$@"; do
    state=$(systemctl is-enabled "$unit" 2>/dev/null) || state=\${state:-missing}
    case "$state" in
      enabled | static | alias) ;;
      *) differs "$unit is $state, not enabled" || systemctl enable --quiet "$unit" ;;
    esac
  done
}`.trim();

/** Shell function `place FILE`: standard input becomes the file's content, whole or not at all. Needs `looks`. */
export const place = `
place() {
  placed=unchanged
  if [ "$looking" = check ]; then
    if [ -e "$1" ]; then
      diff - "$1" | sed -n "s|^< \\(.*\\)|differs: $1 lacks \\"\\1\\"|p; s|^> \\(.*\\)|differs: $1 has \\"\\1\\"|p"
    else
      echo "differs: $1 is missing"
    fi
    return
  fi
  mkdir -p "$(dirname "$1")"
  cat >"$1.berth"
  if cmp -s "$1.berth" "$1"; then
    rm "$1.berth"
  else
    mv "$1.berth" "$1"
    placed=changed
  fi
  echo "$placed: $1"
}`.trim();

/** Shell function `newer FILE OTHER`: both are there and the first was changed later. */
export const newer = `
newer() {
  # Every sh of the supported systems knows -nt, though POSIX does not.
  # shellcheck disable=SC3013
  [ "$1" -nt "$2" ]
}`.trim();

/** Shell function `is_container`: the kernel belongs to the machine around it. */
export const isContainer = `
is_container() {
  systemd-detect-virt --quiet --container
}`.trim();
