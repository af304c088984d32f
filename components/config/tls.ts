import { z } from "zod";
import type { CertificateKey } from "./certificate.ts";
import type { Finding, Path } from "./findings.ts";
import { refuse, show } from "./refusals.ts";
import { duration } from "./scalars.ts";

/* How visitors and the edge encrypt what they say to each other. */

const ciphers = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"] as const;
/** Suites of TLS 1.2 with forward secrecy and authenticated encryption, by OpenSSL's names: there are no others. */
const known = ["ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"].flatMap((exchange) =>
  ciphers.map((cipher) => `${exchange}-${cipher}`),
);
const elliptic = ciphers.flatMap((cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`]);

const suite = z.string().refine((name) => known.includes(name), {
  error: refuse(
    "is not a suite of TLS 1.2 with forward secrecy and authenticated encryption",
    `use some of ${known.join(", ")}`,
  ),
});

export const tls = z.strictObject({
  minVersion: z
    .enum(["1.2", "1.3"], {
      error: refuse("is not a version that is safe", "write 1.2, or 1.3 to refuse visitors of before 2018"),
    })
    .default("1.2")
    .describe("Oldest version of TLS that is spoken; the newest is 1.3"),
  suites: z
    .array(suite)
    .min(1)
    .default(elliptic)
    .describe(
      "Suites of TLS 1.2; those of TLS 1.3 are all safe and not chosen among. With DHE, the group is ffdhe3072 of RFC 7919",
    ),
  preferServer: z
    .boolean()
    .default(false)
    .describe("Take the first of `suites` that a visitor knows; off, phones without AES in hardware take ChaCha20"),
  sessionTimeout: duration
    .default("10 minutes")
    .describe("How long a visitor may resume a session, kept in a cache of 10 MB; there are no session tickets"),
});

export type Tls = z.output<typeof tls>;

/** A suite signs with one kind of key: without one for a certificate's, TLS 1.2 with it would always fail. */
export function tlsRules(
  given: { readonly minVersion?: string; readonly suites?: readonly string[] } | undefined,
  certificates: Readonly<Record<string, { readonly key?: CertificateKey }>>,
): Finding[] {
  const { minVersion, suites } = given ?? {};
  // Of those that were refused already, nothing is left.
  if (suites === undefined || suites.length === 0 || minVersion === "1.3") return [];
  const path: Path = ["edge", "tls", "suites"];
  return Object.entries(certificates).flatMap(([name, { key }]) => {
    if (key === undefined) return [];
    const kind = key.startsWith("rsa") ? "RSA" : "ECDSA";
    if (suites.some((one) => one.includes(`-${kind}-`))) return [];
    const cure =
      kind === "RSA"
        ? `add one with ECDHE-RSA, or write key: "ecdsa-p256" under edge.certificates.${name}`
        : `add one with ECDHE-ECDSA, or write key: "rsa-4096" under edge.certificates.${name}`;
    return [{ path, message: `has no suite for the ${kind} key of certificate ${show(name)}; ${cure}` }];
  });
}
