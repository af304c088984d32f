# Managed by berth: removal of web-1. Runs in the project root; safe to run again at any time.
set -eu
umask 077
export LC_ALL=C
host=web-1
config='.berth/production/ssh_config'

refuse() {
  echo 'host web-1: removal:' "$1" >&2
  exit 1
}

[ -e "$config" ] || refuse "$config is missing; run pulumi preview, which writes it, and try again"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo 'web-1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBerth' >"$scratch/known_hosts"

# on_host COMMAND
on_host() {
  ssh -F "$config" -o 'HostName=203.0.113.7' -o 'Port=22' -o 'User=root' -o 'HostKeyAlias=web-1' -o UserKnownHostsFile="$scratch/known_hosts" -o StrictHostKeyChecking=yes "$host" "$1"
}

# fresh COMMAND: by a connection of its own
fresh() {
  ssh -F "$config" -o ControlMaster=no -o ControlPath=none -o 'HostName=203.0.113.7' -o 'Port=22' -o 'User=root' -o 'HostKeyAlias=web-1' -o UserKnownHostsFile="$scratch/known_hosts" -o StrictHostKeyChecking=yes "$host" "$1"
}

# ask COMMAND: on the manager that answers
ask() {
  ssh -F "$config" "$manager" "$1"
}

# The manager that Pulumi talks to, else any host that knows the nodes of the swarm.
find_manager() {
  manager='' silent=''
  for one in manager.swarm $(listed); do
    status=0
    ssh -F "$config" "$one" 'docker node inspect --format "{{.ID}}" self' >"$scratch/said" 2>&1 || status=$?
    case "$status $one" in
      '0 '*)
        manager=$one
        return
        ;;
      '255 manager.swarm') ;;
      '255 '*) silent="$silent $one" ;;
    esac
  done
}

# Names of the hosts in the stack file.
listed() {
  sed -n 's/^Host \([a-z][a-z0-9-]*\)$/\1/p' "$config"
}

leave() {
  status=0
  on_host 'sh -s' <<'BERTH_SCRIPT' || status=$?
set -eu
/usr/bin/thing 'remove'
BERTH_SCRIPT
  [ "$status" -ne 0 ] || return 0
  if [ "$status" -eq 255 ] && ! listed | grep -qx "$host"; then
    echo 'does not answer and is no longer in the stack file: left as it is'
    return 0
  fi
  refuse 'what runs there could not be taken away; start it, or take it out of the stack file if it is lost'
}

"$@" </dev/null
