import { X509Certificate } from "node:crypto";
import { connect, type PeerCertificate } from "node:tls";
import type { Duplex } from "node:stream";
import { originPullCa } from "../components/cloudflare/origin-pull-ca.ts";
import { isRecord } from "./stack-file.ts";

/** Where an edge host tells what came of its certificates; everybody may read it. */
export const metricsFile = "/var/lib/berth/metrics/certificates.prom";

export interface FailedAttempt {
  readonly certificate: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Certificates of a system whose last issue or renewal failed, from the metrics of an edge host. */
export function failedAttempts(metrics: string, system: string): FailedAttempt[] {
  const values = new Map(
    [...metrics.matchAll(/^berth_certificate_(\w+)\{system="([^"]*)",certificate="([^"]*)"\} (\d+)$/gm)]
      .filter(([, , of]) => of === system)
      .map(([, name, , certificate, value]) => [`${certificate ?? ""} ${name ?? ""}`, Number(value)] as const),
  );
  return [...values].flatMap(([key, value]) => {
    const [certificate = "", name] = key.split(" ");
    if (name !== "last_attempt_failed" || value !== 1) return [];
    const at = new Date((values.get(`${certificate} last_attempt_timestamp_seconds`) ?? 0) * 1000);
    return [{ certificate, at: at.toISOString() }];
  });
}

/** A certificate without which Cloudflare is not answered by the edge. */
export interface ClientCertificateEnd {
  readonly what: string;
  /** ISO 8601. */
  readonly expires: string;
}

/** @param zone `berth:cloudflare` as it stands in the stack file; what is wrong with it is said elsewhere */
export function clientCertificateEnds(zone: unknown): ClientCertificateEnd[] {
  const pulls = isRecord(zone) ? zone["originPulls"] : undefined;
  if (!isRecord(pulls)) return [];
  const { certificate, ca } = pulls;
  const of = (what: string, text: string): ClientCertificateEnd[] => {
    const ends = (text.match(pemBlock) ?? []).map((one) => new X509Certificate(one).validToDate.getTime());
    // Of several CAs, one before its end will do.
    return ends.length === 0 ? [] : [{ what, expires: new Date(Math.max(...ends)).toISOString() }];
  };
  return [
    ...(typeof certificate === "string" ? of("berth:cloudflare.originPulls.certificate", certificate) : []),
    ...(typeof ca === "string"
      ? of("berth:cloudflare.originPulls.ca", ca)
      : of("the CA of the certificate that Cloudflare shows", originPullCa())),
  ];
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificate that the edge shows for a site. */
export interface SiteCertificate {
  /** ISO 8601, like `expires`. */
  readonly issued: string;
  readonly expires: string;
  readonly issuer: string;
  /** Signed by Cloudflare's Origin CA: renewed by `pulumi up`. */
  readonly originCa: boolean;
  /** Signed by itself: what the edge shows until the first certificate is issued. */
  readonly placeholder: boolean;
  /** The site's name is among the names it is for. */
  readonly matches: boolean;
}

/**
 * Asks for a site over a connection to the edge. Whether this machine trusts the issuer is not judged here: visitors'
 * machines decide that, and a lab's CA is known to nobody.
 */
export async function siteCertificate(connection: Duplex, site: string, timeoutMs: number): Promise<SiteCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: connection, servername: site, rejectUnauthorized: false });
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      connection.destroy();
      settle();
    };
    const fail = (error: Error) => {
      finish(() => {
        reject(error);
      });
    };
    const timer = setTimeout(() => {
      fail(new Error(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    // The way to the host may break too, and says more about why than TLS does.
    connection.once("error", fail);
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate();
      finish(() => {
        resolve(describe(certificate, site));
      });
    });
  });
}

function describe(certificate: PeerCertificate, site: string): SiteCertificate {
  const named = (certificate.subjectaltname ?? "").split(", ").map((name) => name.replace(/^DNS:/, ""));
  const wildcard = `*.${site.split(".").slice(1).join(".")}`;
  return {
    issued: new Date(certificate.valid_from).toISOString(),
    expires: new Date(certificate.valid_to).toISOString(),
    issuer: first(certificate.issuer.CN) ?? first(certificate.issuer.O) ?? "unknown",
    originCa: /^CloudFlare Origin /i.test(first(certificate.issuer.OU) ?? ""),
    placeholder: JSON.stringify(certificate.issuer) === JSON.stringify(certificate.subject),
    matches: named.includes(site) || named.includes(wildcard),
  };
}

function first(field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field[0] : field;
}
