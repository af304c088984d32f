import * as pulumi from "@pulumi/pulumi";
import type { AcmeCertificate, Certificate, OriginCertificate } from "../config/certificate.ts";
import type { Host } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { command } from "../shared/providers.ts";
import { certificateCommand, certificateFiles, issuedCommand, renderFiles, requestCommand } from "./edge.render.ts";

/** Has a request of an edge host signed; gives the certificate, PEM. */
export type SignRequest = (
  name: string,
  certificate: OriginCertificate,
  request: pulumi.Input<string>,
  opts: pulumi.ComponentResourceOptions,
) => pulumi.Output<string>;

export interface CertificatesArgs {
  readonly config: Pick<Config, "system" | "acme" | "dnsToken">;
  readonly fleet: Pick<Fleet, "connection">;
  readonly sign: SignRequest;
  /** What the age of certificates is counted from. */
  readonly now: Date;
}

/**
 * Makes one certificate of an edge host: the commands that get it, the last of which is passed when visitors are shown
 * it. Those of the Origin CA are made of a request by the host, which keeps the key, and of what was signed for it.
 */
export function createCertificate(
  name: string,
  host: Host,
  certificate: Certificate,
  args: CertificatesArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Resource {
  return certificate.issuer === "acme"
    ? createAcme(name, host, certificate, args, opts)
    : createOrigin(name, host, certificate, args, opts);
}

function createAcme(
  name: string,
  host: Host,
  certificate: AcmeCertificate,
  { config, fleet }: CertificatesArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Resource {
  const { system, acme, dnsToken } = config;
  const files = (token?: string): string => renderFiles(certificateFiles(acme, certificate, token));
  return new command.remote.Command(
    name,
    {
      connection: fleet.connection(host),
      create: certificateCommand(host, system.name, acme, certificate),
      stdin: certificate.challenge === "dns-01" && dnsToken ? dnsToken.apply(files) : files(),
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}

function createOrigin(
  name: string,
  host: Host,
  certificate: OriginCertificate,
  { config, fleet, sign, now }: CertificatesArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Resource {
  const { system } = config;
  const connection = fleet.connection(host);
  const request = new command.remote.Command(
    `${name}-request`,
    {
      connection,
      create: requestCommand(host, system.name, certificate, renewalPeriod(certificate.validity, now)),
      addPreviousOutputInEnv: false,
    },
    opts,
  );
  const signed = sign(`${name}-signed`, certificate, request.stdout, opts.parent ? { parent: opts.parent } : {});
  return new command.remote.Command(
    name,
    {
      connection,
      create: issuedCommand(host, system.name, certificate),
      stdin: signed,
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * The number of the period of two thirds of a validity in which a moment lies. Whoever gets a certificate with each
 * period has, whenever in it that was, a third of the validity left when the next one begins.
 *
 * @param validity Days
 */
export function renewalPeriod(validity: number, now: Date): number {
  return Math.floor(now.getTime() / (Math.floor((validity * 2) / 3) * dayMs));
}
