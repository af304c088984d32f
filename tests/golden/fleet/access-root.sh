# Managed by berth: access of web-1. Runs in the project root; safe to run again at any time.
set -eu
umask 077
export LC_ALL=C
host=web-1
config='.berth/production/ssh_config'

refuse() {
  echo 'host web-1: access:' "$1" >&2
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

apply() {
  # shellcheck disable=SC2016 # expanded on the host
  client=$(on_host 'echo "${SSH_CONNECTION%% *}"') || refuse 'cannot be reached by SSH; what ssh says stands above'
  on_host "sh -s $client" <<'BERTH_SCRIPT'
# Managed by berth: access of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: access:' "$1" >&2
  exit 1
}

# shellcheck disable=SC2034 # not every change asks where it comes from
client=$1
program=/var/lib/berth/access
config=/etc/ssh/sshd_config.d/00-berth.conf

main() {
  if [ "$looking" = check ]; then
    [ ! -e "$program.pending" ] || echo 'differs: a change waits to be kept or undone'
    check
    return
  fi
  mkdir -p "$(dirname "$program")"
  settle_earlier
  apply
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

# A change that nobody has said to keep is not what was there before this one.
settle_earlier() {
  if [ -e "$program.pending" ]; then
    disarm
    revert
    rm "$program.pending"
    echo 'changed: what an interrupted run left was undone'
  fi
}

disarm() {
  if systemctl is-active --quiet berth-access-revert.timer; then systemctl stop berth-access-revert.timer; fi
}

guard() {
  cat >"$program" <<'PROGRAM'
#!/bin/sh
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
program=/var/lib/berth/access
config=/etc/ssh/sshd_config.d/00-berth.conf

revert() {
  if [ -e "$program.before" ]; then mv "$program.before" "$config"; else rm -f "$config"; fi
  systemctl reload ssh
}

keep() {
  rm -f "$program.before"
}
case $1 in
  revert) [ ! -e "$program.pending" ] || revert ;;
  keep)
    if systemctl is-active --quiet berth-access-revert.timer; then systemctl stop berth-access-revert.timer; fi
    [ ! -e "$program.pending" ] || keep
    ;;
esac
rm -f "$program.pending"
PROGRAM
  chmod 700 "$program"
  : >"$program.pending"
  systemd-run --quiet --collect --unit=berth-access-revert --on-active=60 "$program" revert
}

pid=/run/sshd.pid

newer() {
  # Every sh of the supported systems knows -nt, though POSIX does not.
  # shellcheck disable=SC3013
  [ "$1" -nt "$2" ]
}

apply() {
  if ! complaint=$(sshd -t 2>&1); then
    refuse "sshd refuses its configuration as it stands, got \"$complaint\"; put /etc/ssh in order"
  fi
  wanted >"$program.next"
  # sshd writes its process id anew when it reads its configuration; an older one means an older configuration.
  if cmp -s "$program.next" "$config" && ! newer "$config" "$pid"; then
    rm "$program.next"
    echo "unchanged: $config"
    return
  fi
  if [ -e "$config" ]; then cp -p "$config" "$program.before"; else rm -f "$program.before"; fi
  guard
  mkdir -p "$(dirname "$config")"
  mv "$program.next" "$config"
  if ! complaint=$(sshd -t 2>&1); then
    "$program" revert
    refuse "sshd refuses these settings, got \"$complaint\"; the file was taken away again"
  fi
  for setting in 'passwordauthentication no' 'x11forwarding no' 'maxsessions 100'; do
    if ! sshd -T | grep -qx "$setting"; then
      "$program" revert
      refuse 'sshd does not read /etc/ssh/sshd_config.d; put "Include /etc/ssh/sshd_config.d/*.conf" at the top of /etc/ssh/sshd_config'
    fi
  done
  reload
  echo "changed: $config, read by sshd"
}

wanted() {
  cat <<'END'
# Managed by berth. The first value of a setting counts, hence the name of this file.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitRootLogin prohibit-password
PermitUserEnvironment no
X11Forwarding no
AllowAgentForwarding no
AllowTcpForwarding local
PermitTunnel no
LoginGraceTime 30
MaxStartups 100:30:200
MaxSessions 100
ClientAliveInterval 150
ClientAliveCountMax 2
TCPKeepAlive no
Compression no
LogLevel VERBOSE
KexAlgorithms -ecdh-sha2-*,diffie-hellman-group14-*,diffie-hellman-group-exchange-*,diffie-hellman-group1-*
MACs -hmac-sha1*,umac-64*,hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com
HostKeyAlgorithms -ecdsa-*,sk-ecdsa-*,webauthn-*
END
}

# What sshd makes of all its files, against what it makes of these settings alone.
check() {
  wanted | place "$config"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  wanted >"$scratch/wanted"
  keys="^($(sed -n 's/^\([A-Z][A-Za-z0-9]*\) .*/\1/p' "$scratch/wanted" | tr '[:upper:]' '[:lower:]' | paste -sd '|')) "
  sshd -T -f "$scratch/wanted" | grep -E "$keys" | sort >"$scratch/expected"
  sshd -T | grep -E "$keys" | sort >"$scratch/found"
  diff "$scratch/expected" "$scratch/found" |
    sed -n 's|^< \(.*\)|differs: sshd lacks "\1"|p; s|^> \(.*\)|differs: sshd has "\1"|p'
  ! newer "$config" "$pid" || echo "differs: sshd has not read $config since it was changed"
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

revert() {
  if [ -e "$program.before" ]; then mv "$program.before" "$config"; else rm -f "$config"; fi
  systemctl reload ssh
}

keep() {
  rm -f "$program.before"
}

reload() {
  if [ ! -e "$pid" ]; then
    systemctl reload ssh
    return
  fi
  before=$(stat -c %y "$pid")
  systemctl reload ssh
  # While it reads, nobody can connect. The next command dials as soon as this one is done.
  deadline=$(($(date +%s) + 10))
  # It is gone for a moment, also between two looks at it.
  until now=$(stat -c %y "$pid" 2>/dev/null) && [ "$now" != "$before" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || refuse 'sshd did not come back within 10 seconds; see journalctl -u ssh'
    sleep 0.1
  done
}

main </dev/null
BERTH_SCRIPT
  # By a connection of its own, as the next command will.
  fresh "sh -s" <<'BERTH_SCRIPT' || refuse 'no new connection came through; within 60 s the change undoes itself'
set -eu
[ ! -e /var/lib/berth/access.pending ] || /var/lib/berth/access keep
BERTH_SCRIPT
}

"$@" </dev/null
