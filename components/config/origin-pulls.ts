import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { z } from "zod";
import type { Cloudflare } from "./cloudflare.ts";
import type { Finding, Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import { pem } from "./scalars.ts";
import type { SystemParts } from "./system-rules.ts";

/* Authenticated origin pulls: the certificate by which Cloudflare shows to nginx that it is Cloudflare. */

export const originPulls = z.strictObject({
  stage: z
    .enum(["presented", "demanded"])
    .describe(
      "presented: Cloudflare shows its certificate, and nginx writes into its log whether it did; demanded: nginx " +
        "answers 400 to whoever shows none. One `up` for each, in this order",
    ),
  sites: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Hosts of the sites that ask for it; `${domain}` is replaced. All of them by default"),
  certificate: pem
    .optional()
    .describe(
      "Certificate of your own for Cloudflare to show, its key under `berth:originPullKey`; by default the one that " +
        "Cloudflare shows for all of its customers",
    ),
  ca: pem.optional().describe("CA that signed `certificate`; both the old and the new one while it is replaced"),
});

type Zone = Parts<Cloudflare>;
type Pulls = NonNullable<Zone["originPulls"]>;

const at = (...steps: Path): Path => ["cloudflare", "originPulls", ...steps];

/** What is wrong with it in itself, and with the zone that it is said of. */
export function originPullRules(zone: Zone): Finding[] {
  const pulls = zone.originPulls;
  if (pulls === undefined) return [];
  if (zone.proxied !== true) {
    const message = "shuts every visitor out, since none comes through Cloudflare; write proxied: true, or remove it";
    return [{ path: at(), message }];
  }
  return [...ownerRules(zone, pulls), ...certificateRules(pulls)];
}

function ownerRules({ manages }: Zone, { certificate, ca }: Pulls): Finding[] {
  if (manages === "records") {
    const message = "belongs to the stack that manages the zone; move it there, and keep its CA here";
    return certificate === undefined ? [] : [{ path: at("certificate"), message }];
  }
  if ((certificate === undefined) === (ca === undefined)) return [];
  return certificate === undefined
    ? [{ path: at("certificate"), message: "is missing; add the one that this CA has signed, or remove ca" }]
    : [{ path: at("ca"), message: "is missing; add the CA that signed the certificate" }];
}

function certificateRules({ certificate, ca }: Pulls): Finding[] {
  const [leaf, authorities] = [certificate && read(certificate), ca && readAll(ca)];
  if (leaf === null || authorities === null) {
    const message = "cannot be read as a certificate; paste it again, every line of it";
    return [
      ...(leaf === null ? [{ path: at("certificate"), message }] : []),
      ...(authorities === null ? [{ path: at("ca"), message }] : []),
    ];
  }
  if (!leaf || !authorities || authorities.some((one) => leaf.checkIssued(one) && leaf.verify(one.publicKey)))
    return [];
  const got = show(leaf.issuer.replaceAll("\n", ", "));
  const message = `did not sign the certificate, which names as its issuer ${got}; add that CA`;
  return [{ path: at("ca"), message }];
}

/** Sites that are asked must be there. */
export function originPullSiteRules(
  zone: Zone | "none" | undefined,
  system: SystemParts,
  domain: string | undefined,
): Finding[] {
  if (zone === undefined || zone === "none" || domain === undefined) return [];
  const hosts = (system.edge?.sites ?? []).flatMap(({ host }) => host?.replaceAll("${domain}", domain) ?? []);
  return (zone.originPulls?.sites ?? []).flatMap((site, index) => {
    const full = site.replaceAll("${domain}", domain);
    if (hosts.includes(full)) return [];
    const message = `is no host of the system, got ${show(site)}; use ${list(hosts, "or")}`;
    return [{ path: at("sites", index), message }];
  });
}

/** Whether a key is that of a certificate; null where either cannot be read. */
export function isKeyOf(key: string, certificate: string): boolean | null {
  const [leaf, secret] = [read(certificate), readKey(key)];
  return leaf && secret && leaf.checkPrivateKey(secret);
}

function read(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text);
  } catch {
    return null;
  }
}

/** A certificate's file may hold several, one after another. */
function readAll(text: string): X509Certificate[] | null {
  const all = (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(read);
  const good = all.filter((one) => one !== null);
  return good.length > 0 && good.length === all.length ? good : null;
}

function readKey(text: string): KeyObject | null {
  try {
    return createPrivateKey(text);
  } catch {
    return null;
  }
}
