# Managed by berth: swap of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: swap:' "$1" >&2
  exit 1
}

file=/var/swap.berth

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
    echo 'unchanged: swap is the business of the machine around this container'
  elif [ -n "$(swapon --show --noheadings)" ]; then
    echo 'unchanged: swap'
  elif [ "$(df --output=avail --block-size=1M /var | tail -n 1 | tr -d ' ')" -lt 8192 ]; then
    echo 'unchanged: no swap, for want of room on the disk that holds /var'
  elif ! differs 'no swap'; then
    # Whole or not at all: an interrupted run leaves nothing that is taken for swap.
    rm -f "$file"
    (umask 077 && dd if=/dev/zero of="$file" bs=1M count=2048 2>/dev/null)
    mkswap --quiet "$file" || mkswap "$file" >/dev/null
    grep -q "^$file " /etc/fstab || echo "$file none swap sw 0 0" >>/etc/fstab
    swapon "$file"
    echo 'changed: 2048 MB of swap'
  fi
}

main </dev/null
