# Managed by berth: engine of db-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host db-1: engine:' "$1" >&2
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
  wanted='apparmor ca-certificates curl iproute2 iptables aide auditd fail2ban libpam-pwquality logrotate nftables python3-systemd unattended-upgrades' version='27.3.1'
  # shellcheck disable=SC1091
  system=$(. /etc/os-release && echo "$ID $VERSION_ID")
  case "$system" in
    'debian 12' | 'ubuntu 22.04' | 'ubuntu 24.04') engine='docker.io' ;;
    'debian 13') engine='docker.io docker-cli' ;;
    *) refuse "the operating system is not supported, got $system; use Debian 12 or 13 or Ubuntu 22.04 or 24.04" ;;
  esac
  present=$(dpkg-query --show --showformat '${db:Status-Status}:${Package} ')
  ! installed docker.io ||
    refuse "Docker is the distribution's here; write docker: { source: distribution }, or set the machine up anew"
  engine='docker-ce docker-ce-cli containerd.io'
  wanted="$wanted $engine"
  # Each of the others is a time service already, and is removed for another one.
  installed chrony || installed ntpsec || installed ntp || wanted="$wanted systemd-timesyncd"

  configure
  add_repository
  install_packages
  keep_version
  hold
  start
  admit 'deploy'
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
  "metrics-addr": "10.0.0.2:9323"
}
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
  missing=$(in_version $missing)
  # shellcheck disable=SC2086
  package_command apt-get install --yes --no-install-recommends \
    --option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold $missing
  echo "changed: installed$missing"
}

add_repository() {
  # shellcheck disable=SC1091
  from=$(. /etc/os-release && echo "$ID $VERSION_CODENAME")
  key=/etc/apt/keyrings/docker.asc
  if ! echo "1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570  $key" | sha256sum --check --status 2>/dev/null; then
    differs "$key is not Docker's key" || {
      installed curl || get_curl
      mkdir -p "$(dirname "$key")"
      curl --silent --show-error --fail --max-time 60 --output "$key.berth" "https://download.docker.com/linux/${from% *}/gpg" ||
        refuse "the key of Docker's repository cannot be fetched; the host must reach download.docker.com"
      got=$(sha256sum <"$key.berth" | cut -d ' ' -f 1)
      if [ "$got" != 1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570 ]; then
        rm "$key.berth"
        refuse "the key of Docker's repository is not the one that is known, got $got; nothing of it was used"
      fi
      mv "$key.berth" "$key"
      echo "changed: $key"
    }
  fi
  place /etc/apt/sources.list.d/docker.list <<END
# Managed by berth.
deb [arch=$(dpkg --print-architecture) signed-by=$key] https://download.docker.com/linux/${from% *} ${from#* } stable
END
}

get_curl() {
  package_command apt-get update
  package_command apt-get install --yes --no-install-recommends ca-certificates curl
}

is_wanted() {
  case "${1#*:}" in "$version" | "$version"[!0-9.]*) ;; *) return 1 ;; esac
}

# Packages as apt takes them, Docker's own with what the archive calls the wanted version.
in_version() {
  for package in "$@"; do
    case "$package" in
      docker.io | docker-cli | docker-ce | docker-ce-cli) ;;
      *)
        echo "$package"
        continue
        ;;
    esac
    offered=$(apt-cache madison "$package" | awk '{ print $3 }')
    chosen=
    for one in $offered; do
      if is_wanted "$one"; then
        chosen=$one
        break
      fi
    done
    [ -n "$chosen" ] ||
      refuse "there is no $package $version, got $(echo "$offered" | paste -sd ' '); write one of these as berth:docker.version"
    echo "$package=$chosen"
  done
}

keep_version() {
  found=$(dpkg-query --show --showformat '${Version}' "${engine%% *}" 2>/dev/null) || return 0
  if is_wanted "$found"; then
    echo "unchanged: Docker $found"
    return
  fi
  differs "Docker is $found, not $version" || {
    running=$(docker ps --quiet | wc -l)
    [ "$running" -eq 0 ] ||
      refuse "Docker is $found, not $version, and to change that would stop its containers, got $running running; do it on the host when that does no harm, or write in berth:docker.version what is there"
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
    export DEBIAN_FRONTEND NEEDRESTART_MODE
    package_command apt-get update
    # shellcheck disable=SC2086
    chosen=$(in_version $engine)
    # shellcheck disable=SC2086
    package_command apt-get install --yes --no-install-recommends --allow-change-held-packages --allow-downgrades $chosen
    echo "changed: Docker $version"
  }
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

admit() {
  if id -nG "$1" | tr ' ' '\n' | grep -qx docker; then
    echo "unchanged: $1 may use Docker"
  elif ! differs "$1 may not use Docker"; then
    usermod --append --groups docker "$1"
    echo "changed: $1 may use Docker"
  fi
}

main </dev/null
