# Managed by berth: processes of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: processes:' "$1" >&2
  exit 1
}

config=/etc/systemd/system/docker-.scope.d/10-berth.conf

looking=${1-}

# differs WHAT: says so in a check; otherwise fails, and the change is made.
differs() {
  [ "$looking" = check ] || return 1
  echo "differs: $1"
}

# enabled UNIT…: starts by itself with the machine
enabled() {
  for unit in "$@"; do
    state=$(systemctl is-enabled "$unit" 2>/dev/null) || state=${state:-missing}
    case "$state" in
      enabled | static | alias) ;;
      *) differs "$unit is $state, not enabled" || systemctl enable --quiet "$unit" ;;
    esac
  done
}

place() {
  placed=unchanged
  if [ "$looking" = check ]; then
    if [ -e "$1" ]; then
      diff - "$1" | sed -n "s|^< \(.*\)|differs: $1 lacks \"\1\"|p; s|^> \(.*\)|differs: $1 has \"\1\"|p"
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
}

main() {
  place "$config" <<'END'
# Managed by berth: processes and threads of each container that was not given a limit of its own.
[Scope]
TasksMax=4096
END
  # At each run: one that was interrupted may have left the file and not come to this.
  [ "$looking" = check ] || systemctl daemon-reload
  driver=$(docker info --format '{{.CgroupDriver}}' 2>/dev/null) || driver=
  if [ -n "$driver" ] && [ "$driver" != systemd ]; then
    differs "no container has a limit of processes: Docker's cgroup driver is $driver, not systemd" || cat <<'END'
warning: no container has a limit of processes, as Docker's cgroup driver is not systemd. When a restart of Docker, which
stops its containers, does no harm, run on this host:
  sed -i '1a\  "exec-opts": ["native.cgroupdriver=systemd"],' /etc/docker/daemon.json && systemctl restart docker
END
  fi
  above
}

# What is in force, container by container.
above() {
  systemctl show --property Id --property TasksMax 'docker-*.scope' |
    awk -F = '$1 == "TasksMax" { tasks = $2 } $1 == "Id" { id = $2 }
      /^$/ { show() } END { show() }
      function show() { if (id != "" && (tasks == "infinity" || tasks + 0 > 4096)) print id, tasks; id = "" }' |
    while read -r scope tasks; do
      differs "$scope may have $tasks processes, not 4096" || echo "unchanged: $scope has a limit of its own, $tasks"
    done
}

main </dev/null
