/*
 * Docker's own packages, and Docker in one version. Parts of the script that installs it (engine.render.ts), whose
 * functions and names they use.
 */

/**
 * When a host that has another version than `docker.version` is brought to it, which restarts its containers: `idle`
 * while none runs, and refused otherwise; `later` the same, but left alone otherwise, until it is drained; `drained`
 * while nothing of the swarm runs on it: what else does starts again with Docker.
 */
export type VersionChange = "idle" | "later" | "drained";

/** Where Docker's own packages come from. */
export interface Repository {
  /** With a folder for each distribution below it, which has the key as `gpg`. */
  readonly address: string;
  /** Of the key, as the repository gives it out: a stranger's is refused. */
  readonly sha256: string;
}

export const dockerRepository: Repository = {
  address: "https://download.docker.com/linux",
  sha256: "1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570",
};

/** Docker's repository for this system, and the key that its lists must be signed with. */
export const addRepository = ({ address, sha256 }: Repository): string => `
add_repository() {
  # shellcheck disable=SC1091
  from=$(. /etc/os-release && echo "$ID $VERSION_CODENAME")
  key=/etc/apt/keyrings/docker.asc
  if ! echo "${sha256}  $key" | sha256sum --check --status 2>/dev/null; then
    differs "$key is not Docker's key" || {
      installed curl || get_curl
      mkdir -p "$(dirname "$key")"
      curl --silent --show-error --fail --max-time 60 --output "$key.berth" "${address}/\${from% *}/gpg" ||
        refuse "the key of Docker's repository cannot be fetched; the host must reach ${new URL(address).host}"
      got=$(sha256sum <"$key.berth" | cut -d ' ' -f 1)
      if [ "$got" != ${sha256} ]; then
        rm "$key.berth"
        refuse "the key of Docker's repository is not the one that is known, got $got; nothing of it was used"
      fi
      mv "$key.berth" "$key"
      echo "changed: $key"
    }
  fi
  place /etc/apt/sources.list.d/docker.list <<END
# Managed by berth.
deb [arch=$(dpkg --print-architecture) signed-by=$key] ${address}/\${from% *} \${from#* } stable
END
}

get_curl() {
  package_command apt-get update
  package_command apt-get install --yes --no-install-recommends ca-certificates curl
}
`;

const runningContainers: Readonly<Record<VersionChange, string>> = {
  idle: `
    running=$(docker ps --quiet | wc -l)
    [ "$running" -eq 0 ] ||
      refuse "Docker is $found, not $version, and to change that would stop its containers, got $running running; do it on the host when that does no harm, or write in berth:docker.version what is there"`.slice(
    1,
  ),
  later: `
    if [ "$(docker ps --quiet | wc -l)" -gt 0 ]; then
      echo "unchanged: Docker $found, until this host is drained"
      return
    fi`.slice(1),
  drained: `
    running=$(docker ps --quiet --filter label=com.docker.swarm.task | wc -l)
    [ "$running" -eq 0 ] ||
      refuse "Docker is $found, not $version, and to change that would stop tasks of the swarm, got $running running; see docker node ps, then pulumi up again"`.slice(
    1,
  ),
};

/** A version is that of the packages, without the archive's epoch before it and revisions behind it. */
export const versionFunctions = (change: VersionChange): string => `
is_wanted() {
  case "\${1#*:}" in "$version" | "$version"[!0-9.]*) ;; *) return 1 ;; esac
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
  found=$(dpkg-query --show --showformat '\${Version}' "\${engine%% *}" 2>/dev/null) || return 0
  if is_wanted "$found"; then
    echo "unchanged: Docker $found"
    return
  fi
  differs "Docker is $found, not $version" || {
${runningContainers[change]}
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
`;
