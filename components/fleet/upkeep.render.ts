import type { Host } from "../config/host.ts";
import { looks, place, renderScript } from "./script.ts";

/* What keeps a host's disk from filling up by itself. Logs of containers are Docker's, see `engine.render.ts`. */

interface UpkeepArgs {
  readonly host: Pick<Host, "name">;
}

/** The journal has a limit of its own; what writes files instead is rotated by the rule of its package. */
export function renderJournal({ host }: UpkeepArgs): string {
  return renderScript({
    host: host.name,
    concern: "journal",
    body: `
config=/etc/systemd/journald.conf.d/90-berth.conf

${looks}

${place}

main() {
  place "$config" <<'END'
# Managed by berth.
[Journal]
Storage=persistent
SystemMaxUse=1G
SystemKeepFree=1G
MaxRetentionSec=90day
END
  started=$(date --date "$(systemctl show --property ExecMainStartTimestamp --value systemd-journald)" +%s)
  if [ -e "$config" ] && [ "$(stat -c %Y "$config")" -gt "$started" ]; then
    differs "journald has not read $config since it was changed" || {
      systemctl restart systemd-journald
      echo 'changed: journald restarted'
    }
  fi
  enabled logrotate.timer
}
`,
  });
}

/** Images of each repository that stay while there is room: as many as there are releases to go back to. */
const keptImages = 30;
/** The same on a disk that fills up: the one in use and two before it. What is gone comes from the registry again. */
const keptWhenFull = 3;
/** Share of the disk, in percent, from which it counts as filling up. */
const fullPercent = 80;
/** An image is not removed before it has been out of use for so long. */
const idleDays = 7;

/** Unused images are removed daily, the newest ones of each repository never. */
export function renderImages({ host }: UpkeepArgs): string {
  return renderScript({
    host: host.name,
    concern: "images",
    body: `
${looks}

${place}

main() {
  place /var/lib/berth/clean-images <<'PROGRAM'
${renderCleanImages()}PROGRAM
  place /etc/systemd/system/berth-images.service <<'END'
# Managed by berth.
[Unit]
Description=berth: unused images
After=docker.service
[Service]
Type=oneshot
ExecStart=/bin/sh /var/lib/berth/clean-images
Nice=19
IOSchedulingClass=idle
END
  service=$placed
  place /etc/systemd/system/berth-images.timer <<'END'
# Managed by berth.
[Unit]
Description=berth: unused images
[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true
[Install]
WantedBy=timers.target
END
  if [ "$service$placed" != unchangedunchanged ] && [ "$looking" != check ]; then systemctl daemon-reload; fi
  enabled berth-images.timer
  systemctl is-active --quiet berth-images.timer || differs 'unused images stay' || {
    systemctl start berth-images.timer
    echo 'changed: unused images are removed daily'
  }
}
`,
  });
}

/**
 * What the host runs. Docker does not say when an image was last used, so this writes it down at each run: one that it
 * has not seen before counts as used now. A release changes at most one image of a repository, so the images of the
 * kept releases are among those that were used last.
 */
export function renderCleanImages(): string {
  return `# Managed by berth: removes images that nothing uses. A rollback pulls what is gone from the registry.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
ledger=/var/lib/berth/images-used
now=$(date +%s)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

docker ps --all --quiet --no-trunc >"$scratch/containers"
if ! xargs -r docker inspect --format '{{.Image}}' <"$scratch/containers" >"$scratch/used" 2>/dev/null; then
  echo 'a container has gone meanwhile'
fi
docker image ls --no-trunc --digests --format '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}' >"$scratch/images"
touch "$ledger"

# Lines of when it was last used, reference, repository and whether it is in use; last used first.
awk -v now="$now" '
  FILENAME == ARGV[1] { used[$1]; next }
  FILENAME == ARGV[2] { seen[$2] = $1; next }
  {
    reference = $4 != "<none>" ? $2 "@" $4 : $3 != "<none>" ? $2 ":" $3 : $1
    last = ($1 in used) || !(reference in seen) ? now : seen[reference]
    print last, reference, $2, (($1 in used) ? "used" : "idle")
  }
' "$scratch/used" "$ledger" "$scratch/images" | sort -u | sort -k1,1nr -k2,2 >"$scratch/ranked"
cut -d ' ' -f 1,2 "$scratch/ranked" >"$ledger.next"
mv "$ledger.next" "$ledger"

keep=${keptImages} days=${idleDays}
full=$(df --output=pcent "$(docker info --format '{{.DockerRootDir}}')" | tail -n 1 | tr -d ' %')
if [ "$full" -ge ${fullPercent} ]; then keep=${keptWhenFull} days=1; fi
awk -v keep="$keep" -v before="$((now - days * 86400))" '
  { rank[$3]++ }
  $4 == "idle" && $1 <= before && (rank[$3] > keep || $3 == "<none>") { print $2 }
' "$scratch/ranked" >"$scratch/unused"
while read -r reference; do
  if docker image rm "$reference" >"$scratch/said" 2>&1; then echo "removed: $reference"; else echo "kept: $reference: $(cat "$scratch/said")"; fi
done <"$scratch/unused"
`;
}
