# Managed by berth: sessions of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: sessions:' "$1" >&2
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
  place /etc/profile.d/60-berth.sh <<'END'
# Managed by berth.
umask 027
ulimit -c 0
case $- in
  *i*)
    [ -n "${TMOUT-}" ] || TMOUT=1800
    readonly TMOUT
    export TMOUT
    ;;
esac
END
  place /etc/security/limits.d/60-berth.conf <<'END'
# Managed by berth: no core dumps.
* hard core 0
root hard core 0
END
  place /etc/systemd/coredump.conf.d/60-berth.conf <<'END'
# Managed by berth.
[Coredump]
Storage=none
ProcessSizeMax=0
END
  for file in /etc/issue /etc/issue.net; do
    place "$file" <<'END'
Private system. Access is for authorized persons only; it is monitored and recorded.
END
  done
  default UMASK 027
  default SHA_CRYPT_MIN_ROUNDS 65536
  default SHA_CRYPT_MAX_ROUNDS 65536
  only /etc/ssh/sshd_config 600
  only /etc/crontab 600
  only /etc/cron.d 700
  only /etc/cron.hourly 700
  only /etc/cron.daily 700
  only /etc/cron.weekly 700
  only /etc/cron.monthly 700
}

# default KEY VALUE: a line of a file whose other lines are the distribution's
default() {
  found=$(sed -n "s/^$1[[:space:]]*//p" /etc/login.defs)
  [ -n "$found" ] || found='unset'
  if [ "$found" = "$2" ]; then
    echo "unchanged: $1"
  elif ! differs "$1 of /etc/login.defs is $found, not $2"; then
    sed -i "/^$1[[:space:]]/d" /etc/login.defs
    echo "$1 $2" >>/etc/login.defs
    echo "changed: $1 of /etc/login.defs"
  fi
}

# only PATH MODE
only() {
  [ -e "$1" ] || return 0
  found=$(stat -c %a "$1")
  [ "$found" != "$2" ] || return 0
  differs "$1 has mode $found, not $2" || {
    chmod "$2" "$1"
    echo "changed: mode of $1"
  }
}

main </dev/null
