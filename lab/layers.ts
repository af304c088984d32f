import type Docker from "dockerode";
import { execIn } from "./docker.ts";

/*
 * Large layers, which one lab's registry hands on to the next: Docker compresses a layer anew for each registry, and
 * that takes most of the time until a new lab is up. They lie under their digests in a volume of all labs. A registry
 * has symbolic links to them: nothing is copied, and what a lab deletes is its own.
 *
 * Where a registry keeps what: https://github.com/distribution/distribution/blob/v2.8.1/registry/storage/paths.go
 */

/** Kept when labs go, as their images are. */
export const layersVolume = "berth-lab-layers";
/** Where it is mounted in a registry, beside `/var/lib/registry`. */
export const layersPath = "/layers";

const layout = `set -eu
cd /var/lib/registry
blobs=docker/registry/v2/blobs/sha256
`;

/** Arguments: the repositories. A registry says that it has a layer only to who asks in a repository with its link. */
export const offer = `${layout}
for layer in ${layersPath}/*; do
  [ -f "$layer" ] || continue
  name=\${layer##*/}
  rest=\${name#??}
  blob=$blobs/\${name%"$rest"}/$name
  if ! [ -e "$blob/data" ]; then
    mkdir -p "$blob"
    ln -sfn "$layer" "$blob/data"
  fi
  for repository in "$@"; do
    link=docker/registry/v2/repositories/$repository/_layers/sha256/$name/link
    [ -e "$link" ] || { mkdir -p "\${link%/*}" && printf 'sha256:%s' "$name" >"$link"; }
  done
done`;

/** Docker asks a repository for layers of more than 10 MB that other repositories had; they have about half of it here. */
export const keep = `${layout}
[ -d "$blobs" ] || exit 0
# What an interruption left.
find ${layersPath} -name '.new-*' -mmin +60 -delete
find "$blobs" -name data -size +4M | while read -r data; do
  blob=\${data%/*}
  name=\${blob##*/}
  [ -e "${layersPath}/$name" ] && continue
  # Another lab may have the same one to give at the same time.
  new=$(mktemp ${layersPath}/.new-XXXXXXXX)
  { cp "$data" "$new" && mv "$new" "${layersPath}/$name"; } || { rm -f "$new"; exit 1; }
done`;

/** Has the registry say yes to what earlier labs pushed. */
export async function offerLayers(registry: Docker.Container, repositories: readonly string[]): Promise<void> {
  await execIn(registry, ["sh", "-c", offer, "offer", ...repositories]);
}

/** Keeps for later labs what was pushed to this one. */
export async function keepLayers(registry: Docker.Container): Promise<void> {
  await execIn(registry, ["sh", "-c", keep]);
}
