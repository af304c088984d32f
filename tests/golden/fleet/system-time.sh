# Managed by berth: time of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: time:' "$1" >&2
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

is_container() {
  systemd-detect-virt --quiet --container
}

main() {
  if is_container; then
    echo 'unchanged: the clock is that of the machine around this container'
    return
  fi
  for service in chrony ntpsec ntp systemd-timesyncd; do
    if systemctl is-active --quiet "$service"; then
      echo "unchanged: time by $service"
      return
    fi
  done
  differs 'no time service runs' || {
    systemctl enable --quiet --now systemd-timesyncd
    echo 'changed: time by systemd-timesyncd'
  }
}

main </dev/null
