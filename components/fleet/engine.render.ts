import type { Host } from "../config/host.ts";
import type { DockerEngine, Registry } from "../config/stack.ts";
import { quote } from "../shared/shell.ts";
import {
  addRepository,
  dockerRepository,
  versionFunctions,
  type Repository,
  type VersionChange,
} from "./docker-packages.render.ts";
import { looks, newer, place, renderScript } from "./script.ts";
import { systemPackages } from "./system.render.ts";

/** Room for packages, their downloads and the first images. */
export const diskMegabytes = 2048;
/** Distribution and version, as /etc/os-release has them. */
export const supportedSystems = ["debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"];
/** Where Docker tells its own metrics, to whoever the firewall lets in. */
export const metricsPort = 9323;
/** Files and connections that a container may have open. */
const openFiles = 65536;
/** Longest wait for a package manager that runs already: cloud images update themselves at their first boot. */
const lockSeconds = 300;

export interface EngineArgs {
  readonly host: Pick<Host, "name" | "user" | "privateAddress">;
  /** The edge runs here: certificates are issued on the host. */
  readonly edge: boolean;
  /**
   * Some certificate is got by a record in the Cloudflare zone.
   * @default false
   */
  readonly dnsChallenges?: boolean;
  readonly registry: Registry;
  /** @default - the distribution's, in the version that it has */
  readonly docker?: Pick<DockerEngine, "source" | "version">;
  /** @default - Docker's */
  readonly repository?: Repository;
  /** @default "idle" */
  readonly change?: VersionChange;
}

/** Packages that a host needs beside Docker, on any system. */
export function hostPackages({ edge, dnsChallenges }: Pick<EngineArgs, "edge" | "dnsChallenges">): string[] {
  return [
    "apparmor",
    "ca-certificates",
    // It speaks to Docker's socket where its command line has no way to take a secret by standard input.
    "curl",
    "iproute2",
    "iptables",
    ...systemPackages,
    ...(edge ? ["certbot", "openssl"] : []),
    ...(edge && dnsChallenges === true ? ["python3-certbot-dns-cloudflare"] : []),
  ];
}

/**
 * Packages, Docker's configuration and Docker itself. The configuration comes first, so that the daemon starts with
 * it as soon as it is installed.
 */
export function renderEngine(args: EngineArgs): string {
  const { host, registry, docker = { source: "distribution" } } = args;
  const { repository = dockerRepository, change = "idle" } = args;
  const own = docker.source === "docker";
  const packages = hostPackages(args);
  return renderScript({
    host: host.name,
    concern: "engine",
    body: `
config=/etc/docker/daemon.json

${looks}

${place}

${newer}

main() {
  wanted=${quote(packages.join(" "))}${docker.version === undefined ? "" : ` version=${quote(docker.version)}`}
  # shellcheck disable=SC1091
  system=$(. /etc/os-release && echo "$ID $VERSION_ID")
  case "$system" in
    'debian 12' | 'ubuntu 22.04' | 'ubuntu 24.04') engine='docker.io' ;;
    'debian 13') engine='docker.io docker-cli' ;;
    *) refuse "the operating system is not supported, got $system; use Debian 12 or 13 or Ubuntu 22.04 or 24.04" ;;
  esac
  present=$(dpkg-query --show --showformat '\${db:Status-Status}:\${Package} ')
${own ? chooseOwn : chooseDistribution}
  # Each of the others is a time service already, and is removed for another one.
  installed chrony || installed ntpsec || installed ntp || wanted="$wanted systemd-timesyncd"

  configure
${own ? "  add_repository\n" : ""}  install_packages
${docker.version === undefined ? "" : `  keep_version\n`}  hold
  start
${host.user === "root" ? "" : `  admit ${quote(host.user)}\n`}}

configure() {
  # Root may raise the limit, unless the machine is itself a container that was given less.
  # shellcheck disable=SC3045
  if (ulimit -n ${openFiles}) 2>/dev/null; then files=${openFiles}; else files=$(ulimit -Hn); fi
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
${JSON.stringify(daemonConfig(host), undefined, 2).replace("{\n", "{$driver\n").replaceAll('"$files"', "$files")}
END
${placeRegistryCa(registry)}}

asks_systemd() {
  grep -qs native.cgroupdriver=systemd "$config"
}

${packageFunctions(docker.version !== undefined).trim()}
${own ? addRepository(repository) : ""}${docker.version === undefined ? "" : versionFunctions(change)}
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
      refuse "Docker must restart to read $config, which stops its containers, got $running running; run \\"systemctl restart docker\\" on the host when that does no harm, then pulumi up again"
    systemctl restart docker
    echo 'changed: Docker restarted'
  fi
}
${host.user === "root" ? "" : admitFunction}`,
  });
}

const chooseDistribution = `
  # Docker's own packages exclude the distribution's and do as well.
  if installed docker-ce; then engine='docker-ce docker-ce-cli containerd.io'; else wanted="$wanted $engine"; fi`.slice(
  1,
);

const chooseOwn = `
  ! installed docker.io ||
    refuse "Docker is the distribution's here; write docker: { source: distribution }, or set the machine up anew"
  engine='docker-ce docker-ce-cli containerd.io'
  wanted="$wanted $engine"`.slice(1);

/**
 * Logs are rotated for every container; without limits one chatty service fills the disk. Live restore stays off:
 * swarm mode excludes it. `$files` and `$driver` are put in by the script.
 */
const daemonConfig = ({ privateAddress }: EngineArgs["host"]) => ({
  "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" },
  "default-ulimits": { nofile: { Name: "nofile", Soft: "$files", Hard: "$files" } },
  // For every container: a program that is set-uid gives nobody more than he has. Swarm services cannot ask for it.
  "no-new-privileges": true,
  "live-restore": false,
  "metrics-addr": `${privateAddress ?? "127.0.0.1"}:${metricsPort}`,
});

/** Docker reads this directory at every pull, so nothing has to be restarted. */
function placeRegistryCa(registry: Registry): string {
  if (registry.ca === undefined) return "";
  const [address] = registry.address.split("/");
  return `  place ${quote(`/etc/docker/certs.d/${address ?? ""}/ca.crt`)} <<'END'
${registry.ca.trim()}
END
`;
}

/** Access to Docker equals root; the user has that by sudo already, and Docker over SSH has no place for sudo. */
const admitFunction = `
admit() {
  if id -nG "$1" | tr ' ' '\\n' | grep -qx docker; then
    echo "unchanged: $1 may use Docker"
  elif ! differs "$1 may not use Docker"; then
    usermod --append --groups docker "$1"
    echo "changed: $1 may use Docker"
  fi
}
`;

const packageFunctions = (versioned: boolean): string => `
installed() {
  case " $present" in *" installed:$1 "*) ;; *) return 1 ;; esac
}

# Runs a package command, again while another package manager holds its lock.
package_command() {
  waiting=
  deadline=$(($(date +%s) + ${lockSeconds}))
  until said=$("$@" 2>&1); do
    case "$said" in
      *'Could not get lock'* | *'lock was locked by another process'*) ;;
      *) refuse "$1 failed, got: $(echo "$said" | tail -n 15)" ;;
    esac
    [ "$(date +%s)" -lt "$deadline" ] ||
      refuse "another package manager did not finish within ${lockSeconds} s, got: $(echo "$said" | tail -n 3)"
    [ -n "$waiting" ] || echo 'waiting for another package manager'
    waiting=yes
    sleep 1
  done
}

# An upgrade of these restarts Docker and with it every container: not at night and unasked.
hold() {
  for package in $engine containerd; do
    case $(dpkg-query --show --showformat '\${db:Status-Want} \${db:Status-Status}' "$package" 2>/dev/null) in
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
  [ "$free" -ge ${diskMegabytes} ] ||
    refuse "too little room on the disk that holds /var, got $free MB free; make room for ${diskMegabytes} MB"

  echo "installing:$missing"
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  export DEBIAN_FRONTEND NEEDRESTART_MODE
  # Completes what an interrupted run left half done.
  package_command dpkg --configure -a
  package_command apt-get update
${versioned ? "  # shellcheck disable=SC2086\n  missing=$(in_version $missing)\n" : ""}  # shellcheck disable=SC2086
  package_command apt-get install --yes --no-install-recommends \\
    --option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold $missing
  echo "changed: installed$missing"
}
`;
