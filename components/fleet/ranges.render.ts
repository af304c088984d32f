import { readFileSync } from "node:fs";
import { quote } from "../shared/shell.ts";
import { looks, place, renderScript } from "./script.ts";

const directory = "/var/lib/berth/ranges";
const unit = "berth-ranges";

/** The proxy's networks as the host last heard of them; missing until they differ from those that berth came with. */
export const rangesFile = `${directory}/cloudflare`;

export interface RangesArgs {
  readonly host: { readonly name: string };
  /** Where the networks are asked for, Cloudflare's API; `undefined` where nobody comes to an edge through it. */
  readonly api: string | undefined;
  /** Networks to begin with. */
  readonly proxyRanges: readonly string[];
}

/** The program that a host asks with: what it does stands at its top. */
export function rangesProgram(): string {
  return readFileSync(new URL("ranges.py", import.meta.url), "utf8");
}

/** A timer that keeps the proxy's networks fresh, where there is one; else nothing is left of it. */
export function renderRanges({ host, api, proxyRanges }: RangesArgs): string {
  return renderScript({
    host: host.name,
    concern: "ranges",
    body: api === undefined ? gone : kept(api, proxyRanges),
  });
}

const kept = (api: string, proxyRanges: readonly string[]): string => `
${looks}

${place}

main() {
  place ${directory}/seed <<'END'
${proxyRanges.join("\n")}
END
  place ${directory}/refresh <<'BERTH_PROGRAM'
${rangesProgram()}BERTH_PROGRAM
  [ "$looking" = check ] || chmod 755 ${directory}/refresh
  place /etc/systemd/system/${unit}.service <<'BERTH_UNIT'
# Managed by berth: Cloudflare's networks, as it publishes them.
[Unit]
Description=berth: networks of Cloudflare
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=${directory}/refresh ${api}/ips
TimeoutStartSec=15min
BERTH_UNIT
  place /etc/systemd/system/${unit}.timer <<'BERTH_UNIT'
# Managed by berth: four times a day, edge hosts one after another.
[Unit]
Description=berth: networks of Cloudflare
[Timer]
OnCalendar=*-*-* 00/6:00:00
RandomizedDelaySec=2h
FixedRandomDelay=true
Persistent=true
[Install]
WantedBy=timers.target
BERTH_UNIT
  [ "$looking" = check ] || systemctl daemon-reload
  enabled ${unit}.timer
  systemctl is-active --quiet ${unit}.timer || differs ${quote(`${unit}.timer does not run`)} ||
    systemctl start ${unit}.timer
}
`;

const gone = `
${looks}

main() {
  [ -e /etc/systemd/system/${unit}.timer ] || return 0
  ! differs 'the networks of Cloudflare are refreshed, and not used' || return 0
  systemctl disable --quiet --now ${unit}.timer
  rm -rf /etc/systemd/system/${unit}.timer /etc/systemd/system/${unit}.service ${directory} \\
    /var/lib/berth/metrics/ranges.prom
  systemctl daemon-reload
  echo 'changed: the networks of Cloudflare are no longer refreshed'
}
`;
