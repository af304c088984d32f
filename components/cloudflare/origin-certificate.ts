import type * as pulumi from "@pulumi/pulumi";
import type { OriginCertificate } from "../config/certificate.ts";
import { cloudflare } from "../shared/providers.ts";
import { explainer } from "./explainer.ts";

/**
 * Has a host's request for a certificate signed by Cloudflare's Origin CA, whose certificates Cloudflare alone trusts.
 *
 * Creates: a `cloudflare.OriginCaCertificate`. Another request makes another one; the one before is revoked when the
 * run is over, after its successor has taken its place, and the last one when it is for nothing any more.
 */
export function signByOriginCa(
  name: string,
  { names, key, validity }: OriginCertificate,
  request: pulumi.Input<string>,
  opts: pulumi.ResourceOptions,
): pulumi.Output<string> {
  const signed = new cloudflare.OriginCaCertificate(
    name,
    {
      csr: request,
      // An order of their own: another one would make another certificate.
      hostnames: names.toSorted(),
      requestType: key.startsWith("rsa-") ? "origin-rsa" : "origin-ecc",
      requestedValidity: validity,
    },
    { ...opts, hooks: { onError: [explainer()] } },
  );
  return signed.certificate;
}
