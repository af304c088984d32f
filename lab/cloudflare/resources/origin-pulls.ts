import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { z } from "zod";
import { collectionRoutes, singleRoutes } from "../collection.ts";
import { one, refuse } from "../errors.ts";
import { zoneOf, type ApiAnswer, type Call, type Route } from "../route.ts";
import { bodyOf, hostname } from "../schema.ts";
import { timestamp, type Stored } from "../store.ts";

const group = "SSL and Certificates";
const base = "origin_tls_client_auth";
const hostsPath = `${base}/hostnames`;
const hostCertificates = `${hostsPath}/certificates`;

const pair = z.strictObject({ certificate: z.string().min(1), private_key: z.string().min(1) });

/** Certificates that Cloudflare shows to origins: one list for the zone, one for single names. */
const certificates = (path: string): Route[] =>
  collectionRoutes({
    path,
    group,
    change: [],
    schema: pair,
    complain: (field, message) => ({ code: 1408, message: `${field.join(".")}: ${message}` }),
    missing: () => one(404, 1402, "Certificate not found"),
    refuse: ({ certificate, private_key }, call) => {
      const leaf = readCertificate(certificate);
      const key = readKey(private_key);
      if (!leaf.checkPrivateKey(key))
        throw one(400, 1412, "The certificate and private key pair you uploaded is invalid");
      if (leaf.validToDate.getTime() < Date.now()) throw one(400, 1413, "The certificate you uploaded has expired");
      const same = (each: Stored) => each["certificate"] === certificate;
      if (call.store.objects(call.scope, path).some(same))
        throw one(400, 1406, "This certificate has already been submitted");
    },
    complete: ({ certificate }) => {
      const leaf = readCertificate(certificate);
      return {
        certificate,
        issuer: leaf.issuer.replaceAll("\n", ","),
        signature: leaf.publicKey.asymmetricKeyType === "rsa" ? "SHA256WithRSA" : "ECDSAWithSHA256",
        serial_number: BigInt(`0x${leaf.serialNumber}`).toString(),
        expires_on: leaf.validToDate.toISOString(),
        uploaded_on: timestamp(),
      };
    },
    refuseRemoval: ({ id }, call) => {
      if (path === hostCertificates && hosts(call).some((each) => each["cert_id"] === id))
        throw one(400, 1426, "This certificate is in use by a hostname");
    },
    // Deployed by the time anybody looks again.
    show: (object, call) => ({ ...object, enabled: isEnabled(call), status: "active" }),
    once: () => ({ status: "pending_deployment" }),
  });

export const originPullRoutes: readonly Route[] = [
  ...singleRoutes({
    path: `${base}/settings`,
    group,
    change: "PUT",
    schema: z.strictObject({ enabled: z.boolean() }),
    initial: () => ({ enabled: false }),
  }),
  ...certificates(hostCertificates),
  {
    path: hostsPath,
    methods: {
      GET: { permissions: [`${group} Read`, `${group} Write`], answer: (call) => ({ result: hosts(call) }) },
      PUT: { permissions: [`${group} Write`], answer: putHosts },
    },
  },
  {
    path: `${hostsPath}/:hostname`,
    methods: {
      GET: { permissions: [`${group} Read`, `${group} Write`], answer: (call) => ({ result: hostOf(call) }) },
    },
  },
  ...certificates(base),
];

const association = z.strictObject({
  hostname,
  cert_id: z.string().optional(),
  /** Null takes the association away. */
  enabled: z.boolean().nullable(),
});

function putHosts(call: Call): ApiAnswer {
  const form = z.strictObject({ config: z.array(association).min(1) });
  const { config } = bodyOf(form, call.request.body(), refuse.field, true);
  const zone = zoneOf(call);
  const known = call.store.objects(call.scope, hostCertificates);
  for (const wanted of config) {
    if (wanted.hostname !== zone.name && !wanted.hostname.endsWith(`.${zone.name}`))
      throw one(400, 1428, `hostname ${wanted.hostname} does not belong to zone ${zone.name}`);
    if (wanted.enabled === null) continue;
    if (!known.some(({ id }) => id === wanted.cert_id))
      throw one(400, 1405, `certificate ${wanted.cert_id ?? ""} was not found; it must be uploaded for hostnames`);
  }
  for (const { hostname: name, cert_id, enabled } of config) {
    if (enabled === null) call.store.remove(call.scope, hostsPath, name);
    else {
      const before = call.store.objects(call.scope, hostsPath).find(({ id }) => id === name);
      const dates = { created_at: before?.["created_at"] ?? timestamp(), updated_at: timestamp() };
      call.store.put(call.scope, hostsPath, { id: name, hostname: name, cert_id, enabled, ...dates });
    }
  }
  return { result: hosts(call) };
}

function hosts(call: Call): Readonly<Record<string, unknown>>[] {
  const known = call.store.objects(call.scope, hostCertificates);
  return call.store.objects(call.scope, hostsPath).map(({ id: _name, ...each }) => {
    const { id: _id, uploaded_on, ...certificate } = known.find(({ id }) => id === each["cert_id"]) ?? { id: "" };
    const state = {
      status: "active",
      cert_status: "active",
      cert_uploaded_on: uploaded_on,
      cert_updated_at: uploaded_on,
    };
    return { ...certificate, ...state, ...each };
  });
}

function hostOf(call: Call): Readonly<Record<string, unknown>> {
  const found = hosts(call).find((each) => each["hostname"] === call.params["hostname"]);
  if (!found) throw one(404, 1429, "Hostname association not found");
  return found;
}

function isEnabled(call: Call): unknown {
  return (
    (call.store.setting(call.scope, `${base}/settings`)?.value as { enabled?: boolean } | undefined)?.enabled ?? false
  );
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw one(400, 1408, "The certificate you uploaded could not be read; it must be PEM");
  }
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw one(400, 1409, "The private key you uploaded could not be read; it must be PEM without a passphrase");
  }
}
