import { stringify } from "yaml";

/* When a certificate is late, for Prometheus and for `berth status` alike. */

/** Renewal is due when a third of the lifetime is left; with this share left, it has failed for long. */
const lateShare = 0.15;
/** Of certificates that live for years, the share would be years too. */
const lateDays = 30;

const daySeconds = 24 * 60 * 60;

/** Seconds before its end at which a certificate should have been replaced long ago. */
export function lateSeconds(lifetimeSeconds: number): number {
  return Math.min(lateShare * lifetimeSeconds, lateDays * daySeconds);
}

const metric = (name: string): string => `berth_certificate_${name}`;
const left = `${metric("expires_timestamp_seconds")} - time()`;
const lifetime = `${metric("expires_timestamp_seconds")} - ${metric("issued_timestamp_seconds")}`;
const which = "certificate {{ $labels.certificate }} of {{ $labels.system }} on {{ $labels.instance }}";
const cure = "docs/certificates.md says what to do.";

/**
 * Rules for Prometheus about the metrics that edge hosts write, see docs/certificates.md. The last one needs the metric
 * that node-exporter has of each file in its textfile directory.
 */
export function renderCertificateAlerts(): string {
  const rules = [
    {
      alert: "BerthCertificateExpires",
      expr: `${left} < clamp_max(${lateShare} * (${lifetime}), ${lateDays * daySeconds})`,
      for: "1h",
      labels: { severity: "critical" },
      annotations: {
        summary: `${which} expires in {{ $value | humanizeDuration }}`,
        description: `It should have been replaced long ago: by certbot's timer, or, of the Origin CA, by \`pulumi up\`. ${cure}`,
      },
    },
    {
      alert: "BerthCertificateNotRenewed",
      expr: `${metric("last_attempt_failed")} == 1`,
      for: "15m",
      labels: { severity: "warning" },
      annotations: {
        summary: `getting or renewing ${which} failed`,
        description: `The edge serves the one it has; \`journalctl -u certbot\` on the host says why. ${cure}`,
      },
    },
    {
      alert: "BerthCertificatePlaceholder",
      expr: `${metric("placeholder")} == 1`,
      for: "15m",
      labels: { severity: "critical" },
      annotations: {
        summary: `${which} is a placeholder that no browser trusts`,
        description: `None was issued yet. ${cure}`,
      },
    },
    {
      alert: "BerthCertificatesUnwatched",
      expr: `time() - node_textfile_mtime_seconds{file=~".*certificates.prom"} > ${2 * daySeconds}`,
      for: "1h",
      labels: { severity: "warning" },
      annotations: {
        summary: "certificates on {{ $labels.instance }} were not looked after for two days",
        description: `certbot.timer runs twice a day and has not: \`systemctl status certbot.timer\` on the host. ${cure}`,
      },
    },
  ];
  const head = "# Managed by berth: alerts on the certificates of edge hosts. `npm run berth -- alerts` prints them.\n";
  return head + stringify({ groups: [{ name: "berth-certificates", rules }] }, { lineWidth: 0 });
}
