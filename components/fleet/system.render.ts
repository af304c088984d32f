import type { Host } from "../config/host.ts";
import type { PidsLimit } from "../config/stack.ts";
import { renderIntegrity } from "./integrity.render.ts";
import { renderSwap, renderSysctl } from "./kernel.render.ts";
import { renderProcesses } from "./processes.render.ts";
import { renderRanges, type RangesArgs } from "./ranges.render.ts";
import { isContainer, looks, place, renderScript } from "./script.ts";
import { renderModules, renderSessions } from "./sessions.render.ts";
import { renderImages, renderJournal } from "./upkeep.render.ts";

/** Packages that these concerns need, and the firewall. */
export const systemPackages = [
  "aide",
  "auditd",
  "fail2ban",
  "libpam-pwquality",
  "logrotate",
  "nftables",
  "python3-systemd",
  "unattended-upgrades",
] as const;

export interface SystemArgs {
  readonly host: Pick<Host, "name">;
  /** Minutes after 01:00 UTC at which the host updates itself. */
  readonly updateMinutes: number;
  /** It restarts by itself when an update wants it. */
  readonly restarts: boolean;
  /** Addresses that are never banned: those of the fleet, and the networks that SSH is limited to. */
  readonly trusted: readonly string[];
  /** Most processes of each container. */
  readonly pidsLimit: PidsLimit;
  /** The proxy in front of the edge. */
  readonly proxy: Omit<RangesArgs, "host">;
}

/** What makes a machine fit for production, one concern after another, in one dial. */
export function renderSystem(args: SystemArgs): string {
  return Object.values(systemScripts(args))
    .map((script) => `(\n${script})\n[ "$?" -eq 0 ] || failed=yes\n`)
    .join("\n")
    .concat('\n[ -z "${failed-}" ]\n');
}

/** A script for each concern. */
export function systemScripts(args: SystemArgs): Readonly<Record<string, string>> {
  return {
    sysctl: renderSysctl(args),
    modules: renderModules(args.host),
    sessions: renderSessions(args.host),
    swap: renderSwap(args),
    processes: renderProcesses(args),
    time: renderTime(args),
    upgrades: renderUpgrades(args),
    fail2ban: renderFail2ban(args),
    audit: renderAudit(args),
    journal: renderJournal(args),
    images: renderImages(args),
    integrity: renderIntegrity(args.host),
    ranges: renderRanges({ host: args.host, ...args.proxy }),
  };
}

function renderTime({ host }: SystemArgs): string {
  return renderScript({
    host: host.name,
    concern: "time",
    body: `
${looks}

${isContainer}

main() {
  if is_container; then
    echo 'unchanged: the clock is that of the machine around this container'
    return
  fi
  for service in chrony ntpsec ntp systemd-timesyncd; do
    if systemctl is-active --quiet "$service"; then
      echo "unchanged: time by $service"
      return
    fi
  done
  differs 'no time service runs' || {
    systemctl enable --quiet --now systemd-timesyncd
    echo 'changed: time by systemd-timesyncd'
  }
}
`,
  });
}

/** A host updates itself in a window of its own, and restarts half an hour later if an update wants and it may. */
function renderUpgrades({ host, updateMinutes, restarts }: SystemArgs): string {
  const update = clock(updateMinutes);
  return renderScript({
    host: host.name,
    concern: "upgrades",
    body: `
${looks}

${place}

main() {
  place /etc/apt/apt.conf.d/60berth <<'END'
// Managed by berth.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Automatic-Reboot "${restarts}";
Unattended-Upgrade::Automatic-Reboot-WithUsers "true";
Unattended-Upgrade::Automatic-Reboot-Time "${clock(updateMinutes + 30)}";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
END
  place /etc/systemd/system/apt-daily-upgrade.timer.d/berth.conf <<'END'
# Managed by berth: no two hosts at once.
[Timer]
OnCalendar=
OnCalendar=*-*-* ${update} UTC
RandomizedDelaySec=0
Persistent=false
END
  if [ "$placed" = changed ]; then
    systemctl daemon-reload
    systemctl restart apt-daily-upgrade.timer
  fi
  # The restart is planned in local time.
  if [ "$(readlink -f /etc/localtime)" != /usr/share/zoneinfo/Etc/UTC ] && [ "$(date +%z)" != +0000 ]; then
    differs "the time zone is $(readlink -f /etc/localtime), not UTC" || {
      ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime
      echo 'changed: time zone is UTC'
    }
  fi
  enabled unattended-upgrades.service apt-daily.timer apt-daily-upgrade.timer
}
`,
  });
}

/** Minutes after 01:00 as `HH:MM`. */
function clock(minutes: number): string {
  const all = (60 + minutes) % (24 * 60);
  return [Math.floor(all / 60), all % 60].map((part) => String(part).padStart(2, "0")).join(":");
}

function renderFail2ban({ host, trusted }: SystemArgs): string {
  return renderScript({
    host: host.name,
    concern: "fail2ban",
    body: `
${looks}

${place}

main() {
  place /etc/fail2ban/jail.d/berth.local <<'END'
# Managed by berth.
[DEFAULT]
ignoreip = ${["127.0.0.1/8", "::1", ...trusted].join(" ")}
banaction = nftables-multiport
banaction_allports = nftables-allports
[sshd]
enabled = true
backend = systemd
maxretry = 5
findtime = 10m
bantime = 1h
END
  enabled fail2ban
  if [ "$placed" = changed ] || ! systemctl is-active --quiet fail2ban; then
    differs 'fail2ban does not run' || {
      systemctl restart fail2ban
      echo 'changed: fail2ban started'
    }
  fi
}
`,
  });
}

/** What an intruder would have to touch. */
const watched: readonly (readonly [path: string, access: string, key: string])[] = [
  ["/etc/passwd", "wa", "identity"],
  ["/etc/group", "wa", "identity"],
  ["/etc/shadow", "wa", "identity"],
  ["/etc/sudoers", "wa", "rights"],
  ["/etc/sudoers.d", "wa", "rights"],
  ["/etc/ssh", "wa", "access"],
  ["/root/.ssh", "wa", "access"],
  ["/etc/berth", "wa", "firewall"],
  ["/etc/docker", "wa", "docker"],
  ["/usr/bin/docker", "x", "docker"],
  ["/etc/systemd/system", "wa", "services"],
  ["/etc/cron.d", "wa", "services"],
  ["/etc/sysctl.d", "wa", "kernel"],
  ["/etc/audit", "wa", "audit"],
];

function renderAudit({ host }: SystemArgs): string {
  return renderScript({
    host: host.name,
    concern: "audit",
    body: `
${looks}

${place}

${isContainer}

main() {
  if [ "$looking" != check ]; then
    mkdir -p /root/.ssh /etc/berth /etc/docker
    chmod 700 /root/.ssh
  fi
  place /etc/audit/rules.d/60-berth.rules <<'END'
# Managed by berth.
${watched.map(([path, access, key]) => `-w ${path} -p ${access} -k ${key}`).join("\n")}
END
  if is_container; then
    echo 'unchanged: the audit log is that of the machine around this container'
    return
  fi
  enabled auditd
  if [ "$placed" = changed ] || ! systemctl is-active --quiet auditd; then
    differs 'auditd does not run' || {
      systemctl is-active --quiet auditd || systemctl start auditd
      augenrules --load >/dev/null
      echo 'changed: audit rules loaded'
    }
  fi
}
`,
  });
}
