import * as packet from "dns-packet";
import type { Answer, DecodedPacket, Packet } from "dns-packet";
import type { DnsRecord } from "./record.ts";
import type { Store, Zone } from "./store.ts";

/** Response codes: the low bits of the flags. */
export const rcode = { noError: 0, formatError: 1, nameError: 3, notImplemented: 4, refused: 5 };
const automaticTtl = 300;

/**
 * Answers a query from the records of the zones: authoritative inside them, REFUSED outside, so that a resolver with
 * a second name server goes on to that one. A proxied record answers with its origin: the lab has no proxy in front.
 */
export function answer(query: DecodedPacket, store: Store): Packet {
  const question = query.questions?.[0];
  const reply = (code: number, answers: Answer[] = [], authorities: Answer[] = []): Packet => ({
    type: "response",
    id: query.id ?? 0,
    flags: packet.AUTHORITATIVE_ANSWER | ((query.flags ?? 0) & packet.RECURSION_DESIRED) | code,
    questions: query.questions ?? [],
    answers,
    authorities,
    additionals: query.additionals?.some(({ type }) => type === "OPT") ? [extension()] : [],
  });
  if (query.type === "response" || !question) return reply(rcode.formatError);
  if ((query as { opcode?: string }).opcode !== "QUERY" || question.class !== "IN") return reply(rcode.notImplemented);
  const zone = zoneOf(question.name, store);
  if (!zone) return { ...reply(rcode.refused), flags: rcode.refused };

  const soa = startOfAuthority(zone, store);
  const { found, exists } = resolve(question.name, question.type, zone, store);
  if (found.length > 0) return reply(rcode.noError, found);
  return reply(exists ? rcode.noError : rcode.nameError, [], [soa]);
}

interface Resolved {
  readonly found: Answer[];
  readonly exists: boolean;
}

function resolve(name: string, type: string, zone: Zone, store: Store, depth = 0): Resolved {
  const records = store.records(zone.id);
  const isApex = name.toLowerCase() === zone.name;
  const { here, exists } = recordsAt(name.toLowerCase(), zone, records);
  const found: Answer[] = [];
  if (isApex && (type === "SOA" || type === "ANY")) found.push(startOfAuthority(zone, store));
  if (isApex && (type === "NS" || type === "ANY"))
    for (const data of nameServers) found.push({ type: "NS", name, ttl: 86_400, data });
  const alias = here.find((record) => record.type === "CNAME");
  if (alias && type !== "ANY" && type !== "CNAME") {
    // Cloudflare flattens a CNAME at the apex, where DNS allows none: its target's records under the apex's name.
    if (!isApex) found.push(toAnswer(alias, name));
    const next = zoneOf(alias.content, store);
    const rest = next && depth < 8 ? resolve(alias.content, type, next, store, depth + 1).found : [];
    found.push(...(isApex ? rest.filter((each) => each.type === type).map((each) => ({ ...each, name })) : rest));
  } else for (const record of here) if (type === "ANY" || record.type === type) found.push(toAnswer(record, name));
  return { found, exists: exists || isApex };
}

/** The records at a name, or those of the closest wildcard when nothing has that name or lies below it. */
function recordsAt(name: string, zone: Zone, records: readonly DnsRecord[]) {
  const at = (owner: string) => records.filter((record) => record.name === owner);
  const lies = (owner: string) => records.some((each) => each.name === owner || each.name.endsWith(`.${owner}`));
  if (lies(name)) return { here: at(name), exists: true };
  for (let parent = name; parent !== zone.name;) {
    parent = parent.slice(parent.indexOf(".") + 1);
    const here = at(`*.${parent}`);
    if (here.length > 0) return { here, exists: true };
    if (lies(parent)) break;
  }
  return { here: [], exists: false };
}

const nameServers = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"];

function zoneOf(name: string, store: Store): Zone | undefined {
  const wanted = name.toLowerCase();
  const zones = store.zones.filter((zone) => wanted === zone.name || wanted.endsWith(`.${zone.name}`));
  return zones.sort((a, b) => b.name.length - a.name.length)[0];
}

function startOfAuthority(zone: Zone, store: Store): Answer {
  const times = { refresh: 10_000, retry: 2400, expire: 604_800, minimum: 1 };
  const data = { mname: "ada.ns.cloudflare.com", rname: "dns.cloudflare.com", serial: store.serial, ...times };
  // Absence is cached for one second only: a record that `up` creates must be seen at once.
  return { type: "SOA", name: zone.name, ttl: 1, data };
}

function toAnswer(record: DnsRecord, name: string): Answer {
  const ttl = record.ttl === 1 ? automaticTtl : record.ttl;
  switch (record.type) {
    case "MX":
      return { type: "MX", name, ttl, data: { preference: record.priority ?? 0, exchange: record.content } };
    case "TXT":
      return { type: "TXT", name, ttl, data: characterStrings(record.content) };
    case "CAA": {
      const { flags = 0, tag = "issue", value = "" } = record.data ?? {};
      return { type: "CAA", name, ttl, data: { flags, tag: tag as "issue", value, issuerCritical: flags >= 128 } };
    }
    default:
      return { type: record.type, name, ttl, data: record.content };
  }
}

/** `"one" "two"` as two strings, anything else as it is; longer ones are split at 255 bytes. */
export function characterStrings(content: string): Buffer[] {
  const quoted = [...content.matchAll(/"((?:[^"\\]|\\.)*)"\s*/g)];
  const isQuoted = quoted.length > 0 && quoted.map(([whole]) => whole).join("") === content;
  const strings = isQuoted ? quoted.map(([, inner = ""]) => inner.replace(/\\(.)/g, "$1")) : [content];
  return strings.flatMap((text) => {
    const bytes = Buffer.from(text);
    const parts = Math.max(1, Math.ceil(bytes.length / 255));
    return Array.from({ length: parts }, (_, index) => bytes.subarray(index * 255, (index + 1) * 255));
  });
}

function extension(): Answer {
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0 };
  return { ...opt, flag_do: false, options: [] } as unknown as Answer;
}
