# Managed by berth: engine of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: engine:' "$1" >&2
  exit 1
}

config=/etc/docker/daemon.json

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

newer() {
  # Every sh of the supported systems knows -nt, though POSIX does not.
  # shellcheck disable=SC3013
  [ "$1" -nt "$2" ]
}

main() {
  wanted='apparmor ca-certificates curl iproute2 iptables aide auditd fail2ban libpam-pwquality logrotate nftables python3-systemd unattended-upgrades certbot openssl'
  # shellcheck disable=SC1091
  system=$(. /etc/os-release && echo "$ID $VERSION_ID")
  case "$system" in
    'debian 12' | 'ubuntu 22.04' | 'ubuntu 24.04') engine='docker.io' ;;
    'debian 13') engine='docker.io docker-cli' ;;
    *) refuse "the operating system is not supported, got $system; use Debian 12 or 13 or Ubuntu 22.04 or 24.04" ;;
  esac
  present=$(dpkg-query --show --showformat '${db:Status-Status}:${Package} ')
  # Docker's own packages exclude the distribution's and do as well.
  if installed docker-ce; then engine='docker-ce docker-ce-cli containerd.io'; else wanted="$wanted $engine"; fi
  # Each of the others is a time service already, and is removed for another one.
  installed chrony || installed ntpsec || installed ntp || wanted="$wanted systemd-timesyncd"

  configure
  install_packages
  hold
  start
}

configure() {
  # Root may raise the limit, unless the machine is itself a container that was given less.
  # shellcheck disable=SC3045
  if (ulimit -n 65536) 2>/dev/null; then files=65536; else files=$(ulimit -Hn); fi
  # systemd limits what is in its control groups, which Docker uses by itself where they are of version 2. To change that
  # under containers would lose track of them.
  driver=
  if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && { asks_systemd || [ -z "$(docker ps --quiet 2>/dev/null)" ]; }; then
    driver='
  "exec-opts": ["native.cgroupdriver=systemd"],'
  fi
  mine=/var/lib/berth/owns-daemon.json
  if [ "$looking" != check ] && [ ! -e "$mine" ]; then
    [ ! -e "$config" ] ||
      refuse "$config is there already and would be replaced; move it away, and Docker's data to /var/lib/docker if it names another place"
    mkdir -p "$(dirname "$mine")"
    : >"$mine"
  fi
  place "$config" <<END
{$driver
  "log-driver": "json-file",
  "log-opts": {
    "max-size": "10m",
    "max-file": "3"
  },
  "default-ulimits": {
    "nofile": {
      "Name": "nofile",
      "Soft": $files,
      "Hard": $files
    }
  },
  "no-new-privileges": true,
  "live-restore": false,
  "metrics-addr": "127.0.0.1:9323"
}
END
  place '/etc/docker/certs.d/registry.test:5000/ca.crt' <<'END'
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
END
}

asks_systemd() {
  grep -qs native.cgroupdriver=systemd "$config"
}

installed() {
  case " $present" in *" installed:$1 "*) ;; *) return 1 ;; esac
}

# Runs a package command, again while another package manager holds its lock.
package_command() {
  waiting=
  deadline=$(($(date +%s) + 300))
  until said=$("$@" 2>&1); do
    case "$said" in
      *'Could not get lock'* | *'lock was locked by another process'*) ;;
      *) refuse "$1 failed, got: $(echo "$said" | tail -n 15)" ;;
    esac
    [ "$(date +%s)" -lt "$deadline" ] ||
      refuse "another package manager did not finish within 300 s, got: $(echo "$said" | tail -n 3)"
    [ -n "$waiting" ] || echo 'waiting for another package manager'
    waiting=yes
    sleep 1
  done
}

# An upgrade of these restarts Docker and with it every container: not at night and unasked.
hold() {
  for package in $engine containerd; do
    case $(dpkg-query --show --showformat '${db:Status-Want} ${db:Status-Status}' "$package" 2>/dev/null) in
      'hold installed') continue ;;
      *' installed') ;;
      *) continue ;;
    esac
    differs "$package is not held at its version" || {
      package_command set_hold "$package"
      echo "changed: $package is held at its version"
    }
  done
}

set_hold() {
  echo "$1 hold" | dpkg --set-selections
}

install_packages() {
  missing=
  for package in $wanted; do
    installed "$package" || missing="$missing $package"
  done
  if [ -z "$missing" ]; then
    echo 'unchanged: packages'
    return
  fi
  if differs "packages are missing:$missing"; then return; fi
  free=$(df --output=avail --block-size=1M /var | tail -n 1 | tr -d ' ')
  [ "$free" -ge 2048 ] ||
    refuse "too little room on the disk that holds /var, got $free MB free; make room for 2048 MB"

  echo "installing:$missing"
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  export DEBIAN_FRONTEND NEEDRESTART_MODE
  # Completes what an interrupted run left half done.
  package_command dpkg --configure -a
  package_command apt-get update
  # shellcheck disable=SC2086
  package_command apt-get install --yes --no-install-recommends \
    --option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold $missing
  echo "changed: installed$missing"
}

start() {
  enabled docker
  if ! systemctl is-active --quiet docker; then
    differs 'Docker does not run' || {
      systemctl start docker
      echo 'changed: Docker started'
    }
  elif newer "$config" /run/docker.pid && differs "Docker has not read $config since it was changed"; then
    :
  elif newer "$config" /run/docker.pid; then
    running=$(docker ps --quiet | wc -l)
    [ "$running" -eq 0 ] ||
      refuse "Docker must restart to read $config, which stops its containers, got $running running; run \"systemctl restart docker\" on the host when that does no harm, then pulumi up again"
    systemctl restart docker
    echo 'changed: Docker restarted'
  fi
}

main </dev/null
