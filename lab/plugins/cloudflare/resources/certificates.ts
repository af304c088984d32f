import type {
  AuthenticatedOriginPullsCertificateArgs,
  AuthenticatedOriginPullsHostnameCertificateArgs,
  AuthenticatedOriginPullsSettingsArgs,
  OriginCaCertificateArgs,
} from "@pulumi/cloudflare";
import { list, number, text, told, truth, type Attribute } from "../attributes.ts";
import { restResource, scopedImport, zoneImport } from "../rest.ts";

/** The service may give back a certificate with another end of its last line. */
const samePem = (live: unknown, wanted: unknown): boolean =>
  typeof live === "string" && typeof wanted === "string" && live.trimEnd() === wanted.trimEnd();

/** `cloudflare.OriginCaCertificate`: every argument makes another certificate; the old one is revoked. */
export const originCaCertificate = restResource({
  inputs: {
    csr: text({ required: true, replaces: true, kept: true }),
    hostnames: list(text(), { required: true, replaces: true }),
    requestType: text({
      required: true,
      replaces: true,
      oneOf: ["origin-rsa", "origin-ecc", "keyless-certificate"],
    }),
    requestedValidity: number({ initial: 5475, replaces: true, kept: true, oneOf: [7, 30, 90, 365, 730, 1095, 5475] }),
  } satisfies Record<keyof OriginCaCertificateArgs, Attribute>,
  outputs: { certificate: told(), expiresOn: told() },
  inPath: [],
  path: () => "certificates",
  importForm: "<certificate_id>",
  imported: ([id, ...rest]) => (id === undefined || rest.length > 0 ? undefined : { id }),
  create: "POST",
  delete: "DELETE",
});

/** `cloudflare.AuthenticatedOriginPullsSettings`: the zone's switch, which nothing turns back. */
export const originPullsSettings = restResource({
  inputs: {
    enabled: truth({ required: true }),
    zoneId: text({ required: true, replaces: true }),
  } satisfies Record<keyof AuthenticatedOriginPullsSettingsArgs, Attribute>,
  outputs: {},
  inPath: ["zoneId"],
  path: ({ zoneId }) => `zones/${String(zoneId)}/origin_tls_client_auth/settings`,
  importForm: "<zone_id>",
  imported: zoneImport,
  single: true,
  create: "PUT",
  update: "PUT",
});

const pair = {
  certificate: text({ required: true, replaces: true, same: samePem }),
  privateKey: text({ required: true, kept: true }),
  zoneId: text({ required: true, replaces: true }),
};
const described = {
  expiresOn: told(),
  issuer: told(),
  serialNumber: told(),
  signature: told(),
  status: told(),
  uploadedOn: told(),
};

/** `cloudflare.AuthenticatedOriginPullsCertificate`: what Cloudflare shows to the origins of a whole zone. */
export const originPullsCertificate = restResource({
  inputs: pair satisfies Record<keyof AuthenticatedOriginPullsCertificateArgs, Attribute>,
  outputs: { ...described, certificateId: told({ stable: true, wire: "id" }), enabled: told() },
  inPath: ["zoneId"],
  path: ({ zoneId }) => `zones/${String(zoneId)}/origin_tls_client_auth`,
  importForm: "<zone_id>/<certificate_id>",
  imported: scopedImport("zoneId"),
  create: "POST",
  delete: "DELETE",
  secretOutputs: ["privateKey"],
});

/** `cloudflare.AuthenticatedOriginPullsHostnameCertificate`: the same for single names, see origin-pulls.ts. */
export const originPullsHostnameCertificate = restResource({
  inputs: pair satisfies Record<keyof AuthenticatedOriginPullsHostnameCertificateArgs, Attribute>,
  outputs: described,
  inPath: ["zoneId"],
  path: ({ zoneId }) => `zones/${String(zoneId)}/origin_tls_client_auth/hostnames/certificates`,
  importForm: "<zone_id>/<certificate_id>",
  imported: scopedImport("zoneId"),
  create: "POST",
  delete: "DELETE",
  secretOutputs: ["privateKey"],
});
