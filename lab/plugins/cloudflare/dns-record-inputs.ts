import type { DnsRecordArgs, types } from "@pulumi/cloudflare";
import { any, boolean, list, number, object, oneOf, required, string } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";

/** All of the real provider's; the lab's API serves fewer and says so. */
const recordTypes = [
  ...["A", "AAAA", "CNAME", "MX", "NS", "OPENPGPKEY", "PTR", "TXT", "CAA", "CERT", "DNSKEY"],
  ...["DS", "HTTPS", "LOC", "NAPTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "URI"],
];

/** `flags` is a number or a string, which a check of its own sees to. */
const data = {
  algorithm: number,
  altitude: number,
  certificate: string,
  digest: string,
  digestType: number,
  fingerprint: string,
  flags: any,
  keyTag: number,
  latDegrees: number,
  latDirection: oneOf("N", "S"),
  latMinutes: number,
  latSeconds: number,
  longDegrees: number,
  longDirection: oneOf("E", "W"),
  longMinutes: number,
  longSeconds: number,
  matchingType: number,
  order: number,
  port: number,
  precisionHorz: number,
  precisionVert: number,
  preference: number,
  priority: number,
  protocol: number,
  publicKey: string,
  regex: string,
  replacement: string,
  selector: number,
  service: string,
  size: number,
  tag: string,
  target: string,
  type: number,
  usage: number,
  value: string,
  weight: number,
} satisfies Record<keyof types.input.DnsRecordData, Shape>;

const settings = {
  flattenCname: boolean,
  ipv4Only: boolean,
  ipv6Only: boolean,
} satisfies Record<keyof types.input.DnsRecordSettings, Shape>;

export const inputs = {
  comment: string,
  content: string,
  data: object(data),
  includeShadowMetadata: boolean,
  name: required(string),
  priority: number,
  privateRouting: boolean,
  proxied: boolean,
  settings: object(settings),
  tags: list(string),
  ttl: required(number),
  type: required(oneOf(...recordTypes)),
  zoneId: required(string),
} satisfies Record<keyof DnsRecordArgs, Shape | Required>;
