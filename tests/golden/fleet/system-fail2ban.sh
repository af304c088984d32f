# Managed by berth: fail2ban of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: fail2ban:' "$1" >&2
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
  place /etc/fail2ban/jail.d/berth.local <<'END'
# Managed by berth.
[DEFAULT]
ignoreip = 127.0.0.1/8 ::1 10.0.0.1 198.18.0.0/24
banaction = nftables-multiport
banaction_allports = nftables-allports
[sshd]
enabled = true
backend = systemd
maxretry = 5
findtime = 10m
bantime = 1h
END
  enabled fail2ban
  if [ "$placed" = changed ] || ! systemctl is-active --quiet fail2ban; then
    differs 'fail2ban does not run' || {
      systemctl restart fail2ban
      echo 'changed: fail2ban started'
    }
  fi
}

main </dev/null
