import { z } from "zod";
import type { OriginCertificate } from "./certificate.ts";
import type { Finding, Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { show } from "./refusals.ts";
import type { Stack } from "./stack.ts";

/* Certificates of Cloudflare's Origin CA: what a stack says of them, and what they are not for. */

/** Days that the Origin CA signs for. */
const validities = [7, 30, 90, 365, 730, 1095, 5475] as const;
export const longestValidity = 5475;

/** Fields of a certificate's source that only this issuer knows. */
export const originSource = {
  validity: z
    .literal(validities)
    .optional()
    .describe(
      "Days that `cloudflare-origin` signs for, 5475 by default; an `up` gets another one before a third of them is left",
    ),
  generation: z
    .int()
    .min(1)
    .optional()
    .describe("Raise it for another key and certificate of `cloudflare-origin` now; the one before is revoked"),
};

/** What is wrong with a certificate that the Origin CA is to sign. */
export function originRules(one: OriginCertificate, cloudflare: Parts<Stack>["cloudflare"], domain: string): Finding[] {
  const path: Path = ["certificates", one.name, "issuer"];
  const wrong = (message: string): Finding[] => [{ path, message }];
  const keys =
    one.key === "ecdsa-p384"
      ? wrong(
          `signs keys of P-256 and RSA alone, got ${show(one.key)}; change edge.certificates.${one.name}.key, or write acme`,
        )
      : [];
  if (cloudflare === undefined) return keys;
  if (cloudflare === "none") {
    return [
      ...keys,
      ...wrong('needs a Cloudflare zone, got "cloudflare-origin"; write acme, or the zone under berth:cloudflare'),
    ];
  }
  const zone = cloudflare.zone ?? domain;
  const outside = one.names.filter((name) => name !== zone && !name.endsWith(`.${zone}`));
  return [
    ...keys,
    ...(cloudflare.proxied === true
      ? []
      : wrong(
          'is trusted by no visitor, got "cloudflare-origin"; write acme, or proxied: true under berth:cloudflare',
        )),
    ...outside.flatMap((name) =>
      wrong(
        `does not sign for a name outside the zone ${zone}, got ${show(name)}; give it a certificate with acme, or correct berth:cloudflare.zone`,
      ),
    ),
  ];
}
