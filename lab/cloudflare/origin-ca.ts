import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { bits, element, integer, oid, readAll, sequence, tags, text, time } from "./der.ts";

/** What the real one calls itself, per kind of key. */
const authority = "CloudFlare Origin SSL Certificate Authority";
const day = 86_400_000;

export type KeyKind = "rsa" | "ec";

/** A certificate authority of the lab's Origin CA; its key stays with the lab. */
export interface Authority {
  readonly kind: KeyKind;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

/** A request for a certificate, whose signature has been checked. */
export interface SigningRequest {
  readonly kind: KeyKind;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
}

const algorithms = {
  rsa: sequence(oid("1.2.840.113549.1.1.11"), element(tags.null)),
  ec: sequence(oid("1.2.840.10045.4.3.2")),
};

/** Throws unless the text is a PKCS #10 request that its own key has signed. */
export function readRequest(pem: string): SigningRequest {
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]+)-----END/.exec(pem)?.[1];
  if (body === undefined) throw new Error("not a PEM certificate request");
  const [whole] = readAll(Buffer.from(body, "base64"));
  const [info, algorithm, signature] = readAll(whole?.content ?? Buffer.alloc(0));
  const publicKey = readAll(info?.content ?? Buffer.alloc(0))[2]?.whole;
  if (!info || !algorithm || !signature || !publicKey) throw new Error("not a certificate request");
  const key = createPublicKey({ key: publicKey, format: "der", type: "spki" });
  const hash = hashOf(readAll(algorithm.content)[0]?.content.toString("hex") ?? "");
  if (!verify(hash, info.whole, key, signature.content.subarray(1))) throw new Error("the signature is wrong");
  const kind = key.asymmetricKeyType;
  if (kind !== "rsa" && kind !== "ec") throw new Error(`a key of type ${kind ?? "unknown"} is not supported`);
  return { kind, publicKey };
}

/** SHA-1 is refused, as everywhere. */
function hashOf(algorithm: string): string {
  const hash = /^(?:2a864886f70d0101(0b|0c|0d)|2a8648ce3d04030([234]))$/.exec(algorithm);
  const name = { "0b": "sha256", "0c": "sha384", "0d": "sha512", 2: "sha256", 3: "sha384", 4: "sha512" };
  const found = name[(hash?.[1] ?? hash?.[2] ?? "") as keyof typeof name] as string | undefined;
  if (found === undefined) throw new Error("the signature's algorithm is not supported");
  return found;
}

export function makeAuthority(kind: KeyKind): Authority {
  const pair =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const privateKey = String(pair.privateKey.export({ format: "pem", type: "pkcs8" }));
  const extensions = sequence(
    extension("2.5.29.19", sequence(element(1, Buffer.from([0xff])), integer(Buffer.from([0]))), true),
    extension("2.5.29.15", bits(Buffer.from([0b0000_0110]), 1), true),
  );
  const certificate = issue({
    issuer: { kind, privateKey },
    subject: name([
      ["2.5.4.10", "CloudFlare, Inc."],
      ["2.5.4.11", authority],
      ["2.5.4.3", `berth lab ${kind}`],
    ]),
    publicKey: pair.publicKey.export({ format: "der", type: "spki" }),
    days: 3650,
    extensions,
    kind,
  });
  return { kind, privateKey, certificate: certificate.pem };
}

export interface Issued {
  readonly pem: string;
  readonly expires: Date;
}

/** A server certificate for the names, with the subject that the real Origin CA gives whatever the request said. */
export function signRequest(ca: Authority, request: SigningRequest, names: readonly string[], days: number): Issued {
  const alternatives = names.map((each) => element(0x82, Buffer.from(each)));
  return issue({
    issuer: ca,
    kind: ca.kind,
    subject: name([
      ["2.5.4.10", "CloudFlare, Inc."],
      ["2.5.4.11", "CloudFlare Origin CA"],
      ["2.5.4.3", "CloudFlare Origin Certificate"],
    ]),
    publicKey: request.publicKey,
    days,
    extensions: sequence(
      extension("2.5.29.15", bits(Buffer.from([0b1010_0000]), 5), true),
      extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.2"), oid("1.3.6.1.5.5.7.3.1"))),
      extension("2.5.29.19", sequence(), true),
      extension("2.5.29.17", sequence(...alternatives)),
    ),
  });
}

interface Wanted {
  readonly issuer: Pick<Authority, "kind" | "privateKey">;
  readonly kind: KeyKind;
  readonly subject: Buffer;
  readonly publicKey: Buffer;
  readonly days: number;
  readonly extensions: Buffer;
}

function issue({ issuer, kind, subject, publicKey, days, extensions }: Wanted): Issued {
  // A little earlier than now: clocks differ.
  const begins = new Date(Math.floor(Date.now() / 1000) * 1000 - 300_000);
  const expires = new Date(begins.getTime() + days * day);
  const algorithm = algorithms[kind];
  const serial = randomBytes(20);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01;
  const body = sequence(
    element(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    name([
      ["2.5.4.10", "CloudFlare, Inc."],
      ["2.5.4.11", authority],
      ["2.5.4.3", `berth lab ${kind}`],
    ]),
    sequence(time(begins), time(expires)),
    subject,
    publicKey,
    element(0xa3, extensions),
  );
  const signature = sign("sha256", body, createPrivateKey(issuer.privateKey));
  const der = sequence(body, algorithm, bits(signature)).toString("base64");
  const pem = ["-----BEGIN CERTIFICATE-----", ...(der.match(/.{1,64}/g) ?? []), "-----END CERTIFICATE-----", ""];
  return { pem: pem.join("\n"), expires };
}

function name(parts: readonly (readonly [type: string, value: string])[]): Buffer {
  return sequence(...parts.map(([type, value]) => element(tags.set, sequence(oid(type), text(value)))));
}

function extension(type: string, value: Buffer, critical = false): Buffer {
  const flag = critical ? element(1, Buffer.from([0xff])) : Buffer.alloc(0);
  return sequence(oid(type), flag, element(tags.octets, value));
}
