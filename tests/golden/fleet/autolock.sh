# Managed by berth: autolock of manager.swarm. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host manager.swarm: autolock:' "$1" >&2
  exit 1
}

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

main() {
  found=$(docker info --format '{{.Swarm.LocalNodeState}} {{with .Swarm.Cluster}}{{.Spec.EncryptionConfig.AutoLockManagers}}{{end}}')
  case "$found" in
    'active true') echo 'unchanged: autolock' ;;
    'active false')
      differs 'autolock is false, not true' || {
        # What this prints is the key.
        docker swarm update --autolock=true >/dev/null
        echo 'changed: managers lock what they keep'
      }
      ;;
    locked*)
      differs 'is locked since its restart' || refuse 'is locked since its restart; run npm run berth -- unlock' ;;
    *) echo 'unchanged: no manager' ;;
  esac
}

main </dev/null
