# Managed by berth: firewall of db-1. Runs in the project root; safe to run again at any time.
set -eu
umask 077
export LC_ALL=C
host=db-1
config='.berth/production/ssh_config'

refuse() {
  echo 'host db-1: firewall:' "$1" >&2
  exit 1
}

[ -e "$config" ] || refuse "$config is missing; run pulumi preview, which writes it, and try again"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# on_host COMMAND
on_host() {
  ssh -F "$config" -o 'HostName=203.0.113.8' -o 'Port=2222' -o 'User=deploy' -o 'HostKeyAlias=db-1' "$host" "$1"
}

# fresh COMMAND: by a connection of its own
fresh() {
  ssh -F "$config" -o ControlMaster=no -o ControlPath=none -o 'HostName=203.0.113.8' -o 'Port=2222' -o 'User=deploy' -o 'HostKeyAlias=db-1' "$host" "$1"
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
  on_host 'sudo -n true' || refuse 'deploy cannot become root by sudo without a password; put the line "deploy ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root'
  on_host "sudo -n sh -s $client" <<'BERTH_SCRIPT'
# Managed by berth: firewall of db-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host db-1: firewall:' "$1" >&2
  exit 1
}

# shellcheck disable=SC2034 # not every change asks where it comes from
client=$1
program=/var/lib/berth/firewall
rules=/etc/berth/firewall.nft

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
  if systemctl is-active --quiet berth-firewall-revert.timer; then systemctl stop berth-firewall-revert.timer; fi
}

guard() {
  cat >"$program" <<'PROGRAM'
#!/bin/sh
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
program=/var/lib/berth/firewall
rules=/etc/berth/firewall.nft

revert() {
  nft --file - <<'END'
table inet berth
delete table inet berth
END
  rm -f "$rules.next"
  [ ! -e "$rules" ] || nft --file "$rules"
}

keep() {
  mv "$rules.next" "$rules"
  cat >/etc/systemd/system/berth-firewall.service <<'END'
# Managed by berth: the firewall before the network.
[Unit]
Description=berth firewall
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file /etc/berth/firewall.nft
[Install]
WantedBy=sysinit.target
END
  systemctl daemon-reload
  systemctl enable --quiet berth-firewall.service
}
case $1 in
  revert) [ ! -e "$program.pending" ] || revert ;;
  keep)
    if systemctl is-active --quiet berth-firewall-revert.timer; then systemctl stop berth-firewall-revert.timer; fi
    [ ! -e "$program.pending" ] || keep
    ;;
esac
rm -f "$program.pending"
PROGRAM
  chmod 700 "$program"
  : >"$program.pending"
  systemd-run --quiet --collect --unit=berth-firewall-revert --on-active=60 "$program" revert
}

apply() {
  mkdir -p "$(dirname "$rules")"
  wanted >"$rules.next"
  if cmp -s "$rules.next" "$rules" && nft list table inet berth >/dev/null 2>&1; then
    rm "$rules.next"
    echo 'unchanged: firewall'
    return
  fi
  admits_client
  nft --check --file "$rules.next"
  guard
  nft --file "$rules.next"
  echo 'changed: firewall'
}

wanted() {
  # sshd may listen elsewhere than at the port that is dialled, behind a forwarder.
  ports=$(sshd -T | sed -n 's/^port //p' | sort -un | paste -sd ,)
  cat <<END
# Managed by berth; changes made here are lost.
table inet berth
delete table inet berth
table inet berth {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname "lo" accept
    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept
    meta l4proto { icmp, ipv6-icmp } limit rate 10/second accept
    udp sport 67 udp dport 68 accept
    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
    ip saddr { 198.18.0.0/24 } tcp dport { $ports } accept
    ip saddr { 10.0.0.1, 10.0.0.2 } tcp dport { 2377, 7946, 9323 } accept
    ip saddr { 10.0.0.1, 10.0.0.2 } udp dport { 4789, 7946 } accept
    ip saddr { 10.0.0.1, 10.0.0.2 } meta l4proto esp accept
  }

  # What comes from outside to a container, before Docker's own rules.
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    ct state established,related accept
    iifname "docker*" accept
    iifname "br-*" accept
    drop
  }
}
END
}

# nftables lists rules in words of its own: what is loaded, against what it lists of these rules in an empty network.
check() {
  wanted | place "$rules"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  wanted >"$scratch/wanted"
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --net sh -c 'nft --file "$1" && nft list table inet berth' sh "$scratch/wanted" >"$scratch/expected"
  if nft list table inet berth >"$scratch/found" 2>/dev/null; then
    diff "$scratch/expected" "$scratch/found" |
      sed -n 's|^< *\(.*\)|differs: the firewall lacks "\1"|p; s|^> *\(.*\)|differs: the firewall has "\1"|p' | tr -d '\t'
  else
    echo 'differs: the firewall is not loaded'
  fi
  enabled berth-firewall.service
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
  nft --file - <<'END'
table inet berth
delete table inet berth
END
  rm -f "$rules.next"
  [ ! -e "$rules" ] || nft --file "$rules"
}

keep() {
  mv "$rules.next" "$rules"
  cat >/etc/systemd/system/berth-firewall.service <<'END'
# Managed by berth: the firewall before the network.
[Unit]
Description=berth firewall
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file /etc/berth/firewall.nft
[Install]
WantedBy=sysinit.target
END
  systemctl daemon-reload
  systemctl enable --quiet berth-firewall.service
}

# What nftables itself says about the address that this connection comes from.
admits_client() {
  found=yes
  case "$client" in
    *.*) contains ipv4_addr '198.18.0.0/24' || found=no ;;
    *:*) found=no ;;
  esac
  [ "$found" = yes ] ||
    refuse "berth:firewall.ssh would cut this connection, which comes from $client; add its network"
}

contains() {
  nft --file - <<END
table inet berth_check
delete table inet berth_check
table inet berth_check {
  set networks {
    type $1
    flags interval
    auto-merge
    elements = { $2 }
  }
}
END
  answer=no
  if nft get element inet berth_check networks "{ $client }" >/dev/null 2>&1; then answer=yes; fi
  nft delete table inet berth_check
  [ "$answer" = yes ]
}

main </dev/null
BERTH_SCRIPT
  # By a connection of its own, as the next command will.
  fresh "sudo -n sh -s" <<'BERTH_SCRIPT' || refuse 'no new connection came through; within 60 s the change undoes itself'
set -eu
[ ! -e /var/lib/berth/firewall.pending ] || /var/lib/berth/firewall keep
BERTH_SCRIPT
}

"$@" </dev/null
