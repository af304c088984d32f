import type { LabHost } from "./lab-host.ts";

/** Who signs the list of packages; the repository gives out the key of `docker` alone. */
export type Signer = "docker" | "stranger";

const port = 8099;
const root = "/srv/apt";

/**
 * A signed package repository on a lab host, laid out as Docker's own: what is called docker-ce, docker-ce-cli and
 * containerd.io in it are the distribution's docker.io and containerd under those names, in versions of the caller's.
 */
export class AptRepository {
  readonly address = `http://127.0.0.1:${port}/linux`;
  /** Digest of the key that it gives out. */
  readonly sha256: string;
  readonly #machine: LabHost;

  constructor(machine: LabHost, sha256: string) {
    this.#machine = machine;
    this.sha256 = sha256;
  }

  static async start(machine: LabHost, versions: readonly string[]): Promise<AptRepository> {
    const said = await machine.must(machine.there(build(versions)));
    return new AptRepository(machine, said.trim().split("\n").at(-1) ?? "");
  }

  async sign(signer: Signer): Promise<void> {
    await this.#machine.must(this.#machine.there(`set -eu\n${sign(signer)}\n`));
  }
}

const sign = (signer: Signer): string =>
  `GNUPGHOME=${root}/keys gpg --batch --yes --quiet --local-user ${signer} --clearsign \\
  --output ${root}/linux/debian/dists/bookworm/InRelease ${root}/Release`;

const build = (versions: readonly string[]): string => `set -eu
main() {
export DEBIAN_FRONTEND=noninteractive
apt-get update >/dev/null
apt-get install --yes --no-install-recommends apt-utils gnupg python3 >/dev/null
mkdir -p ${root}/source ${root}/keys ${root}/linux/debian/pool
cd ${root}/source
chown _apt .
chmod 700 ${root}/keys
apt-get download docker.io containerd >/dev/null 2>&1
depends=$(dpkg-deb --field docker.io_*.deb Depends | sed 's/containerd ([^)]*)/containerd.io, docker-ce-cli/')
runs=$(dpkg-deb --field containerd_*.deb Depends)
dpkg-deb --raw-extract docker.io_*.deb docker-ce
dpkg-deb --raw-extract containerd_*.deb containerd.io
mkdir -p docker-ce-cli/DEBIAN docker-ce-cli/usr/bin
mv docker-ce/usr/bin/docker docker-ce-cli/usr/bin/

# package NAME VERSION DEPENDS CONFLICTS
package() {
  rm -f "$1/DEBIAN/md5sums"
  cat >"$1/DEBIAN/control" <<END
Package: $1
Version: $2
Architecture: $(dpkg --print-architecture)
Maintainer: nobody <nobody@example.com>
Depends: $3
Conflicts: $4
Description: the distribution's under the name of Docker's own
END
  dpkg-deb -Zgzip -z1 --build "$1" "${root}/linux/debian/pool/$1_$(echo "$2" | tr ':~' '__').deb" >/dev/null
}
package containerd.io 1.7.0-1 "$runs" containerd
for version in ${versions.join(" ")}; do
  package docker-ce-cli "5:$version-1~debian.12~bookworm" libc6 docker.io
  package docker-ce "5:$version-1~debian.12~bookworm" "$depends" docker.io
done

cd ${root}/linux/debian
list=dists/bookworm/stable/binary-$(dpkg --print-architecture)
mkdir -p "$list"
apt-ftparchive packages pool >"$list/Packages"
set -- Suite=bookworm Codename=bookworm Components=stable "Architectures=$(dpkg --print-architecture)"
for one; do set -- "$@" --option "APT::FTPArchive::Release::$one"; shift; done
apt-ftparchive "$@" release dists/bookworm >${root}/Release
for signer in docker stranger; do
  GNUPGHOME=${root}/keys gpg --batch --quiet --passphrase '' --quick-generate-key "$signer" ed25519 sign never
done
GNUPGHOME=${root}/keys gpg --batch --armor --export docker >gpg
systemd-run --quiet --unit=apt-repository python3 -m http.server --bind 127.0.0.1 --directory ${root} ${port}
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", ${port}))' 2>/dev/null; do sleep 0.1; done
sha256sum gpg | cut -d ' ' -f 1
}
main </dev/null
`;
