# Managed by berth: integrity of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: integrity:' "$1" >&2
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
  place /etc/aide/aide.conf <<'END'
# Managed by berth.
database_in=file:/var/lib/aide/berth.db
database_out=file:/var/lib/aide/berth.db.new
gzip_dbout=no
report_url=stdout
database_attrs=sha256
Watched = p+n+u+g+ftype+sha256
!/etc/berth/.*\.next$
!/etc/letsencrypt
!/etc/cups
!/etc/mtab$
!/etc/resolv\.conf$
/boot Watched
/etc Watched
/root/.ssh Watched
/usr/bin Watched
/usr/lib/systemd Watched
/usr/local Watched
/usr/sbin Watched
END
  place /usr/local/sbin/berth-integrity <<'END'
#!/bin/sh
# Managed by berth: what changed among the files that decide what this host does.
set -u
export LC_ALL=C
umask 077
mkdir -p /var/lib/aide
# Sums that differ. Settings, marked with a c, are for people to change.
altered=$(dpkg --verify | sed -n 's/^..5[^ ]* *\(\/.*\)/\1/p')
[ -z "$altered" ] || printf 'not as their packages have them:
%s
' "$altered"
if [ -e /var/lib/aide/berth.db ]; then
  aide --config=/etc/aide/aide.conf --update
  status=$?
else
  aide --config=/etc/aide/aide.conf --init >/dev/null
  status=$?
fi
# Below 8 it says which kinds of changes there were.
[ "$status" -lt 8 ] || exit "$status"
mv /var/lib/aide/berth.db.new /var/lib/aide/berth.db
[ -z "$altered" ]
END
  executable /usr/local/sbin/berth-integrity
  place /etc/systemd/system/berth-integrity.service <<'END'
# Managed by berth.
[Unit]
Description=what changed among the files that decide what this host does
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/berth-integrity
Nice=19
IOSchedulingClass=idle
END
  units=$placed
  place /etc/systemd/system/berth-integrity.timer <<'END'
# Managed by berth.
[Unit]
Description=what changed among the files that decide what this host does, daily
[Timer]
OnCalendar=*-*-* 05:00 UTC
RandomizedDelaySec=1h
Persistent=true
[Install]
WantedBy=timers.target
END
  if [ "$units$placed" != unchangedunchanged ] && [ "$looking" != check ]; then systemctl daemon-reload; fi
  enabled berth-integrity.timer
  if ! systemctl is-active --quiet berth-integrity.timer; then
    differs 'berth-integrity.timer does not run' || systemctl start berth-integrity.timer
  fi
  # What it compares with tomorrow; nobody waits for it.
  if [ "$looking" != check ] && [ ! -e /var/lib/aide/berth.db ]; then
    systemctl start --no-block berth-integrity.service
  fi
}

executable() {
  if [ -e "$1" ] && [ ! -x "$1" ]; then differs "$1 cannot be executed" || chmod 755 "$1"; fi
}

main </dev/null
