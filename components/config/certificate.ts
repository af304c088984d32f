import { z } from "zod";
import type { Finding, Path } from "./findings.ts";
import { keysAt } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { longestValidity, originRules, originSource } from "./origin-certificate.ts";
import { list, show } from "./refusals.ts";
import type { Stack } from "./stack.ts";

/* Certificates of a system: what they are for, and how a stack gets them. */

export const certificate = z.strictObject({
  names: z
    .array(z.string().min(1))
    .min(1)
    .max(100)
    .optional()
    .describe(
      "Names it is for; `*.${domain}` is every name one step below. Left out, it is for the hosts of all sites that no " +
        "other certificate is for",
    ),
  key: z
    .enum(["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096"])
    .default("ecdsa-p256")
    .describe("Kind of its key; ECDSA is small, quick and known to every client that speaks TLS 1.2"),
});

export const certificateSource = z.strictObject({
  issuer: z
    .enum(["acme", "cloudflare-origin"])
    .default("acme")
    .describe(
      "Who signs it: the authority of `berth:acme`, or Cloudflare's Origin CA, whose certificates nobody but Cloudflare " +
        "trusts: for names that are proxied",
    ),
  challenge: z
    .enum(["http-01", "dns-01"])
    .optional()
    .describe(
      "How `acme` is shown that the names are ours: over port 80 of the edge, as by default, or by a record in the " +
        "Cloudflare zone, which wildcards need and for which `berth:dnsToken` is set",
    ),
  ...originSource,
});

export type CertificateKey = z.output<typeof certificate>["key"];
export type Challenge = NonNullable<z.output<typeof certificateSource>["challenge"]>;

/** A certificate as one stack has it. */
export type Certificate = AcmeCertificate | OriginCertificate;

interface Common {
  readonly name: string;
  /** Lower case, each once; the order is that of the configuration. */
  readonly names: readonly string[];
  readonly key: CertificateKey;
}

/** Got and renewed by certbot on each edge host. */
export interface AcmeCertificate extends Common {
  readonly issuer: "acme";
  readonly challenge: Challenge;
}

/** Got and renewed by `pulumi up`, for a key of each edge host. */
export interface OriginCertificate extends Common {
  readonly issuer: "cloudflare-origin";
  /** Days from issue to expiry. */
  readonly validity: number;
  /** Raised for another one before it is due. */
  readonly generation: number;
}

interface Wanted {
  readonly certificates?: Readonly<
    Record<string, { readonly names?: readonly string[]; readonly key?: CertificateKey }>
  >;
  readonly sites?: readonly { readonly host?: string }[];
}

/** The certificates of a stack, with `${domain}` replaced. */
export function resolveCertificates(
  edge: Wanted,
  domain: string,
  sources: Readonly<Record<string, Parts<z.output<typeof certificateSource>>>>,
): Certificate[] {
  const full = (name: string): string => name.replaceAll("${domain}", domain);
  const certificates = Object.entries(edge.certificates ?? {});
  const named = certificates.flatMap(([, { names }]) => names?.map(full) ?? []);
  const hosts = [...new Set((edge.sites ?? []).flatMap(({ host }) => (host === undefined ? [] : [full(host)])))];
  return certificates.map(([name, { names, key }]) => {
    const common = {
      name,
      names: names?.map(full) ?? hosts.filter((host) => !named.some((other) => covers(other, host))),
      key: key ?? "ecdsa-p256",
    };
    const { issuer, challenge, validity, generation } = sources[name] ?? {};
    return issuer === "cloudflare-origin"
      ? { ...common, issuer, validity: validity ?? longestValidity, generation: generation ?? 1 }
      : { ...common, issuer: "acme", challenge: challenge ?? "http-01" };
  });
}

/** The certificate that a site shows: one that names it, before one that has a wildcard for it. */
export function certificateOf<C extends Pick<Certificate, "names">>(
  certificates: readonly C[],
  host: string,
): C | undefined {
  return (
    certificates.find(({ names }) => names.includes(host)) ??
    certificates.find(({ names }) => names.some((name) => covers(name, host)))
  );
}

/** A wildcard stands for exactly one label. */
function covers(name: string, host: string): boolean {
  return name === host || (name.startsWith("*.") && host.slice(host.indexOf(".")) === name.slice(1));
}

const isWithin = (name: string, zone: string): boolean => name === zone || name.endsWith(`.${zone}`);

const certificateName =
  /^(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is wrong with a system's certificates, once `${domain}` stands for something. */
export function certificateRules(edge: Wanted, domain: string): Finding[] {
  const resolved = resolveCertificates(edge, domain, {});
  const entries = Object.entries(edge.certificates ?? {});
  const rest = entries.filter(([, { names }]) => names === undefined).map(([name]) => name);
  return [
    ...resolved.flatMap((one, index) => (rest.includes(one.name) ? [] : nameRules(one, resolved.slice(0, index)))),
    ...rest.slice(1).map((name) => ({
      path: ["edge", "certificates", name, "names"],
      message: `is missing, and ${show(rest[0])} has none either; one certificate can be for all other sites, name those of this one`,
    })),
    ...resolved
      .filter(({ name, names }) => name === rest[0] && names.length === 0)
      .map(({ name }) => ({
        path: ["edge", "certificates", name],
        message: "is for no site: each has another certificate; remove it",
      })),
    ...(edge.sites ?? []).flatMap(({ host }, index) => {
      const full = host?.replaceAll("${domain}", domain);
      if (full === undefined || certificateOf(resolved, full)) return [];
      const path: Path = ["edge", "sites", index, "host"];
      const cure = "add it to `names` of one under edge.certificates";
      return [{ path, message: `is in no certificate, got ${show(full)}; ${cure}` }];
    }),
  ];
}

function nameRules({ name, names }: Common, before: readonly Common[]): Finding[] {
  return names.flatMap((entry, index) => {
    const path: Path = ["edge", "certificates", name, "names", index];
    const wrong = (message: string): Finding[] => [{ path, message }];
    if (!certificateName.test(entry)) {
      return wrong(`is not a host name, got ${show(entry)}; write a full name or *. before one, in lower case`);
    }
    if (names.indexOf(entry) !== index) return wrong(`is there twice, got ${show(entry)}; remove one`);
    const other = before.find((one) => one.names.includes(entry));
    if (other)
      return wrong(`is in certificate ${show(other.name)} too, got ${show(entry)}; remove it from one of them`);
    const wildcard = names.find((one) => one !== entry && covers(one, entry));
    if (wildcard === undefined) return [];
    return wrong(`is covered by ${show(wildcard)}, got ${show(entry)}; remove it, authorities refuse both at once`);
  });
}

/** What is wrong with how a stack gets its certificates. */
export function sourceRules(stack: Parts<Stack>, edge: Wanted, document: unknown): Finding[] {
  const { domain, cloudflare, certificates = {} } = stack;
  const known = keysAt(document, ["edge", "certificates"]);
  // What the system leaves to the schema's default is not in its document.
  const names = known.length > 0 ? known : Object.keys(edge.certificates ?? {});
  const unknown = Object.keys(certificates).filter((name) => !names.includes(name));
  if (domain === undefined) return unknown.map((name) => notKnown(name, names));
  const resolved = resolveCertificates(edge, domain, certificates);
  return [
    ...unknown.map((name) => notKnown(name, names)),
    ...resolved.flatMap((one) => [
      ...misplaced(one.name, certificates[one.name] ?? {}),
      ...(one.issuer === "acme" ? challengeRules(one, cloudflare, domain) : originRules(one, cloudflare, domain)),
    ]),
  ];
}

/** What the one kind of issuer knows nothing of. */
function misplaced(name: string, source: NonNullable<Parts<Stack>["certificates"]>[string]): Finding[] {
  const { issuer = "acme" } = source;
  const foreign = issuer === "acme" ? (["validity", "generation"] as const) : (["challenge"] as const);
  return foreign
    .filter((field) => source[field] !== undefined)
    .map((field) => ({
      path: ["certificates", name, field],
      message: `does not apply to the issuer ${issuer}, got ${show(source[field])}; remove it`,
    }));
}

function challengeRules(one: AcmeCertificate, cloudflare: Parts<Stack>["cloudflare"], domain: string): Finding[] {
  const path: Path = ["certificates", one.name, "challenge"];
  if (one.challenge === "http-01") return wildcardRules(path, one);
  if (cloudflare === "none") {
    return [
      { path, message: 'needs a Cloudflare zone, got "dns-01"; write http-01, or the zone under berth:cloudflare' },
    ];
  }
  const zone = cloudflare?.zone ?? domain;
  return one.names
    .filter((name) => !isWithin(name, zone))
    .map((name) => ({
      path,
      message: `cannot be met for a name outside the zone ${zone}, got ${show(name)}; give it a certificate with http-01, or correct berth:cloudflare.zone`,
    }));
}

function wildcardRules(path: Path, { name, names }: Common): Finding[] {
  const wildcard = names.find((one) => one.startsWith("*."));
  if (wildcard === undefined) return [];
  const cure = `write dns-01, or name each host in edge.certificates.${name}`;
  return [{ path, message: `cannot be met for a wildcard, got "http-01" for ${show(wildcard)}; ${cure}` }];
}

function notKnown(name: string, names: readonly string[]): Finding {
  return {
    path: ["certificates", name],
    message: `is not a certificate of the system; ${names.length === 0 ? "remove it" : `use ${list(names, "or")}`}`,
  };
}
