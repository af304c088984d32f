import type { Host } from "../config/host.ts";
import { looks, place, renderScript } from "./script.ts";

/** What is watched: programs, settings, and whatever starts by itself. What containers write is not among it. */
const watched = ["/boot", "/etc", "/root/.ssh", "/usr/bin", "/usr/lib/systemd", "/usr/local", "/usr/sbin"] as const;

/** Changes with every use, and says nothing. */
const noise = ["/etc/berth/.*\\.next$", "/etc/letsencrypt", "/etc/cups", "/etc/mtab$", "/etc/resolv\\.conf$"] as const;

/**
 * Once a day, what changed among the files that decide what a host does: packaged files against the sums of their
 * packages, a difference among which fails the unit, and all others against the day before, as lines of the journal.
 * It is no proof against someone who has become root; the journal that was shipped away is.
 */
export function renderIntegrity({ name }: Pick<Host, "name">): string {
  return renderScript({
    host: name,
    concern: "integrity",
    body: `
${looks}

${place}

main() {
  place /etc/aide/aide.conf <<'END'
# Managed by berth.
database_in=file:/var/lib/aide/berth.db
database_out=file:/var/lib/aide/berth.db.new
gzip_dbout=no
report_url=stdout
database_attrs=sha256
Watched = p+n+u+g+ftype+sha256
${noise.map((path) => `!${path}`).join("\n")}
${watched.map((path) => `${path} Watched`).join("\n")}
END
  place /usr/local/sbin/berth-integrity <<'END'
#!/bin/sh
# Managed by berth: what changed among the files that decide what this host does.
set -u
export LC_ALL=C
umask 077
mkdir -p /var/lib/aide
# Sums that differ. Settings, marked with a c, are for people to change.
altered=$(dpkg --verify | sed -n 's/^..5[^ ]* *\\(\\/.*\\)/\\1/p')
[ -z "$altered" ] || printf 'not as their packages have them:\n%s\n' "$altered"
if [ -e /var/lib/aide/berth.db ]; then
  aide --config=/etc/aide/aide.conf --update
  status=$?
else
  aide --config=/etc/aide/aide.conf --init >/dev/null
  status=$?
fi
# Below 8 it says which kinds of changes there were.
[ "$status" -lt 8 ] || exit "$status"
mv /var/lib/aide/berth.db.new /var/lib/aide/berth.db
[ -z "$altered" ]
END
  executable /usr/local/sbin/berth-integrity
  place /etc/systemd/system/berth-integrity.service <<'END'
# Managed by berth.
[Unit]
Description=what changed among the files that decide what this host does
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/berth-integrity
Nice=19
IOSchedulingClass=idle
END
  units=$placed
  place /etc/systemd/system/berth-integrity.timer <<'END'
# Managed by berth.
[Unit]
Description=what changed among the files that decide what this host does, daily
[Timer]
OnCalendar=*-*-* 05:00 UTC
RandomizedDelaySec=1h
Persistent=true
[Install]
WantedBy=timers.target
END
  if [ "$units$placed" != unchangedunchanged ] && [ "$looking" != check ]; then systemctl daemon-reload; fi
  enabled berth-integrity.timer
  if ! systemctl is-active --quiet berth-integrity.timer; then
    differs 'berth-integrity.timer does not run' || systemctl start berth-integrity.timer
  fi
  # What it compares with tomorrow; nobody waits for it.
  if [ "$looking" != check ] && [ ! -e /var/lib/aide/berth.db ]; then
    systemctl start --no-block berth-integrity.service
  fi
}

executable() {
  if [ -e "$1" ] && [ ! -x "$1" ]; then differs "$1 cannot be executed" || chmod 755 "$1"; fi
}
`,
  });
}
