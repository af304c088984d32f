# Managed by berth: images of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: images:' "$1" >&2
  exit 1
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

main() {
  place /var/lib/berth/clean-images <<'PROGRAM'
# Managed by berth: removes images that nothing uses. A rollback pulls what is gone from the registry.
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

keep=30 days=7
full=$(df --output=pcent "$(docker info --format '{{.DockerRootDir}}')" | tail -n 1 | tr -d ' %')
if [ "$full" -ge 80 ]; then keep=3 days=1; fi
awk -v keep="$keep" -v before="$((now - days * 86400))" '
  { rank[$3]++ }
  $4 == "idle" && $1 <= before && (rank[$3] > keep || $3 == "<none>") { print $2 }
' "$scratch/ranked" >"$scratch/unused"
while read -r reference; do
  if docker image rm "$reference" >"$scratch/said" 2>&1; then echo "removed: $reference"; else echo "kept: $reference: $(cat "$scratch/said")"; fi
done <"$scratch/unused"
PROGRAM
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

main </dev/null
