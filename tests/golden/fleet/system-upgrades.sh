# Managed by berth: upgrades of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: upgrades:' "$1" >&2
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
  place /etc/apt/apt.conf.d/60berth <<'END'
// Managed by berth.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-WithUsers "true";
Unattended-Upgrade::Automatic-Reboot-Time "03:00";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
END
  place /etc/systemd/system/apt-daily-upgrade.timer.d/berth.conf <<'END'
# Managed by berth: no two hosts at once.
[Timer]
OnCalendar=
OnCalendar=*-*-* 02:30 UTC
RandomizedDelaySec=0
Persistent=false
END
  if [ "$placed" = changed ]; then
    systemctl daemon-reload
    systemctl restart apt-daily-upgrade.timer
  fi
  # The restart is planned in local time.
  if [ "$(readlink -f /etc/localtime)" != /usr/share/zoneinfo/Etc/UTC ] && [ "$(date +%z)" != +0000 ]; then
    differs "the time zone is $(readlink -f /etc/localtime), not UTC" || {
      ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime
      echo 'changed: time zone is UTC'
    }
  fi
  enabled unattended-upgrades.service apt-daily.timer apt-daily-upgrade.timer
}

main </dev/null
