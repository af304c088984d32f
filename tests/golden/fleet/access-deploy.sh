# Managed by berth: access of db-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host db-1: access:' "$1" >&2
  exit 1
}

config=/etc/ssh/sshd_config.d/00-berth.conf
pid=/run/sshd.pid

place() {
  mkdir -p "$(dirname "$1")"
  cat >"$1.berth"
  if cmp -s "$1.berth" "$1"; then
    rm "$1.berth"
    placed=unchanged
  else
    mv "$1.berth" "$1"
    placed=changed
  fi
  echo "$placed: $1"
}

newer() {
  # Every sh of the supported systems knows -nt, though POSIX does not.
  # shellcheck disable=SC3013
  [ "$1" -nt "$2" ]
}

main() {
  if ! complaint=$(sshd -t 2>&1); then
    refuse "sshd refuses its configuration as it stands, got \"$complaint\"; put /etc/ssh in order"
  fi
  place "$config" <<'END'
# Managed by berth. The first value of a setting counts, hence the name of this file.
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100:30:200
MaxSessions 100
END
  if ! complaint=$(sshd -t 2>&1); then
    rm "$config"
    refuse "sshd refuses these settings, got \"$complaint\"; the file was taken away again"
  fi
  for setting in 'passwordauthentication no' 'maxsessions 100'; do
    sshd -T | grep -qx "$setting" ||
      refuse 'sshd does not read /etc/ssh/sshd_config.d; put "Include /etc/ssh/sshd_config.d/*.conf" at the top of /etc/ssh/sshd_config'
  done
  # sshd writes its process id anew when it reads its configuration; an older one means an older configuration.
  if [ "$placed" = changed ] || newer "$config" "$pid"; then
    reload
  fi
}

reload() {
  if [ ! -e "$pid" ]; then
    systemctl reload ssh
  else
    before=$(stat -c %y "$pid")
    systemctl reload ssh
    # While it reads, nobody can connect. The next command dials as soon as this one is done.
    deadline=$(($(date +%s) + 10))
    until [ -e "$pid" ] && [ "$(stat -c %y "$pid")" != "$before" ]; do
      [ "$(date +%s)" -lt "$deadline" ] || refuse 'sshd did not come back within 10 seconds; see journalctl -u ssh'
      sleep 0.1
    done
  fi
  echo 'changed: sshd reloaded'
}

main </dev/null
