import type { Host } from "../config/host.ts";
import { quote } from "../shared/shell.ts";
import { hostLabel } from "./label.ts";
import { renderScript, rootShell } from "./script.ts";

/** Last line of the answer; without it the connection was cut. */
export const factsEnd = "end";

/** Longest wait for a place outside. */
const reachSeconds = 5;
/** Longest wait for a Docker that does not answer. */
const dockerSeconds = 10;

export interface FactsArgs {
  readonly host: Pick<Host, "name" | "user">;
  /** Networks are encrypted here, which the kernel must be able to do. */
  readonly encrypted: boolean;
  /** What it has to reach outside, as `host:port`. */
  readonly places: readonly string[];
}

/**
 * A script for the SSH user's own shell that says what a machine is, in lines of a word and its values, and changes
 * nothing. It needs no more than a fresh machine has: what a missing program would say is left out.
 */
export function renderFacts({ host, encrypted, places }: FactsArgs): string {
  const script = renderScript({
    host: host.name,
    concern: "facts",
    body: `
main() {
  # shellcheck disable=SC1091
  echo "system $(. /etc/os-release && echo "$ID $VERSION_ID")"
  echo "memory $(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)"
  echo "cores $(nproc)"
  for path in / /var /var/lib/docker; do
    [ ! -d "$path" ] || df --output=size,avail,source,file --block-size=1K "$path" | sed -n '2s/^/disk /p'
  done
  if command -v ip >/dev/null; then
    ip -4 -oneline address show | sed -n 's/^.* inet \\([0-9.]*\\).*/address \\1/p'
    ip -4 route show | sed -n 's/^\\([0-9][0-9./]*\\) .*dev \\([^ ]*\\).*/route \\1 \\2/p'
  fi
${encrypted ? "  encryption\n" : ""}  if [ -e /etc/docker/daemon.json ] && [ ! -e /var/lib/berth/owns-daemon.json ]; then echo 'daemon foreign'; fi
  reach ${places.map(quote).join(" ")}
  engine
  echo ${factsEnd}
}
${encrypted ? encryption : ""}
# reach HOST:PORT…: which of them no connection can be made to, all at once
reach() {
  for place in "$@"; do
    timeout ${reachSeconds} bash -c "exec 3<>/dev/tcp/\${place%:*}/\${place##*:}" 2>/dev/null || echo "unreached $place" &
  done
  wait
}

engine() {
  if ! command -v docker >/dev/null; then
    echo 'engine none'
  elif ! state=$(docker_info '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.NodeID}}'); then
    echo 'engine silent'
  else
    echo "engine $state"
    case "$state" in *' true '*) swarm ;; esac
  fi
}

docker_info() {
  timeout ${dockerSeconds} docker info --format "$1" 2>/dev/null
}

# Only a manager that reaches more than half of them knows the others.
swarm() {
  ids=$(timeout ${dockerSeconds} docker node ls --quiet 2>/dev/null) || return 0
  # shellcheck disable=SC2086
  docker node inspect --format 'node {{.ID}} {{.Status.State}} {{index .Spec.Labels "${hostLabel}"}}' $ids || return 0
  docker_info '{{range .Swarm.Cluster.DefaultAddrPool}}pool {{.}}{{"\\n"}}{{end}}' || return 0
}
`,
  });
  if (host.user === "root") return script;
  return `if ! sudo -n true 2>/dev/null; then
  echo 'root no'
  echo ${factsEnd}
  exit
fi
exec ${rootShell(host)} <<'BERTH_SCRIPT'
${script}BERTH_SCRIPT
`;
}

/** What Docker asks of the kernel for an encrypted network. */
const encryption = `
# In a network of its own, which is gone with the command.
encryption() {
  if ! command -v ip >/dev/null; then
    modprobe --dry-run --quiet esp4 && echo 'encryption yes' || echo 'encryption no: no module esp4'
  elif said=$(unshare --net ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode transport \\
    aead 'rfc4106(gcm(aes))' "0x$(printf '%040d' 0)" 64 2>&1); then
    echo 'encryption yes'
  else
    echo "encryption no: $(echo "$said" | tail -n 1)"
  fi
}
`;
