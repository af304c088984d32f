if ! sudo -n true 2>/dev/null; then
  echo 'root no'
  echo end
  exit
fi
exec sudo -n sh -s <<'BERTH_SCRIPT'
# Managed by berth: facts of vm-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host vm-1: facts:' "$1" >&2
  exit 1
}

main() {
  # shellcheck disable=SC1091
  echo "system $(. /etc/os-release && echo "$ID $VERSION_ID")"
  echo "memory $(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
  echo "cores $(nproc)"
  for path in / /var /var/lib/docker; do
    [ ! -d "$path" ] || df --output=size,avail,source,file --block-size=1K "$path" | sed -n '2s/^/disk /p'
  done
  if command -v ip >/dev/null; then
    ip -4 -oneline address show | sed -n 's/^.* inet \([0-9.]*\).*/address \1/p'
    ip -4 route show | sed -n 's/^\([0-9][0-9./]*\) .*dev \([^ ]*\).*/route \1 \2/p'
  fi
  if [ -e /etc/docker/daemon.json ] && [ ! -e /var/lib/berth/owns-daemon.json ]; then echo 'daemon foreign'; fi
  reach 
  engine
  echo end
}

# reach HOST:PORT…: which of them no connection can be made to, all at once
reach() {
  for place in "$@"; do
    timeout 5 bash -c "exec 3<>/dev/tcp/${place%:*}/${place##*:}" 2>/dev/null || echo "unreached $place" &
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
  timeout 10 docker info --format "$1" 2>/dev/null
}

# Only a manager that reaches more than half of them knows the others.
swarm() {
  ids=$(timeout 10 docker node ls --quiet 2>/dev/null) || return 0
  # shellcheck disable=SC2086
  docker node inspect --format 'node {{.ID}} {{.Status.State}} {{index .Spec.Labels "berth.host"}}' $ids || return 0
  docker_info '{{range .Swarm.Cluster.DefaultAddrPool}}pool {{.}}{{"\n"}}{{end}}' || return 0
}

main </dev/null
BERTH_SCRIPT
