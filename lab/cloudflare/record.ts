import { isIPv4, isIPv6 } from "node:net";
import { ApiError, refuse, type Problem } from "./errors.ts";

/** What the lab can serve over DNS; the real API knows fifteen more. */
export const recordTypes = ["A", "AAAA", "CNAME", "TXT", "MX", "CAA"] as const;
export type RecordType = (typeof recordTypes)[number];

export interface CaaData {
  readonly flags: number;
  readonly tag: string;
  readonly value: string;
}

/** The part of a record that a caller decides. */
export interface RecordFields {
  readonly name: string;
  readonly type: RecordType;
  readonly content: string;
  readonly ttl: number;
  readonly proxied: boolean;
  readonly priority?: number;
  readonly data?: CaaData;
  readonly comment: string | null;
  readonly tags: readonly string[];
  readonly settings: Readonly<Record<string, boolean>>;
}

/** A record as the API answers it. */
export interface DnsRecord extends RecordFields {
  readonly id: string;
  readonly proxiable: boolean;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly created_on: string;
  readonly modified_on: string;
  readonly comment_modified_on?: string;
}

/** The fields of a request body, none of which is trusted yet. */
export type RecordBody = Readonly<Record<string, unknown>>;

const accepted = ["name", "type", "content", "ttl", "proxied", "priority", "data", "comment", "tags", "settings"];
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

export function isProxiable(type: RecordType): boolean {
  return type === "A" || type === "AAAA" || type === "CNAME";
}

export function isHostname(name: string): boolean {
  const labels = name.split(".");
  return name.length <= 253 && labels.every((each) => label.test(each)) && !/^\d+$/.test(labels.at(-1) ?? "");
}

/**
 * Checks a whole record and brings it into the form in which the API gives it back.
 * Names must be complete and inside the zone, as documented; the real service also completes short ones.
 */
export function readRecord(body: RecordBody, zone: string): RecordFields {
  const problems: Problem[] = [];
  const problem = (code: number, message: string) => problems.push({ code, message });
  for (const key of Object.keys(body)) if (!accepted.includes(key)) throw refuse.body(`unknown field "${key}"`);

  const type = body["type"];
  if (!isRecordType(type)) throw new ApiError(400, [{ code: 9002, message: typeProblem(type) }]);
  const name = typeof body["name"] === "string" ? body["name"].toLowerCase().replace(/\.$/, "") : "";
  if (!isInside(name, zone)) problem(9000, "DNS name is invalid.");

  const proxied = body["proxied"] ?? false;
  if (typeof proxied !== "boolean") throw refuse.body(`"proxied" must be true or false`);
  if (proxied && !isProxiable(type)) problem(9004, "This record type cannot be proxied.");
  const ttl = readTtl(body["ttl"], proxied, problem);
  const priority = readPriority(type, body["priority"], problem);
  const data = type === "CAA" ? readCaa(body["data"], problem) : undefined;
  if (type !== "CAA" && isGiven(body["data"])) throw refuse.body(`"data" of ${type} records is not part of the lab`);
  const content = data
    ? `${data.flags} ${data.tag} "${data.value}"`
    : readContent(type, body["content"], name, problem);
  const comment = body["comment"] ?? null;
  if (comment !== null && typeof comment !== "string") throw refuse.body(`"comment" must be text`);
  if ((comment?.length ?? 0) > 100) problem(9313, "DNS record comment exceeds the maximum length of 100 characters.");
  const tags = body["tags"] ?? [];
  if (!Array.isArray(tags)) throw refuse.body(`"tags" must be a list`);
  // Zones of the smallest plan, which the lab's are, have none.
  if (tags.length > 0) problem(9300, `DNS record has ${tags.length} tags, exceeding the quota of 0.`);
  const settings = readSettings(body["settings"], type);
  if (problems.length > 0) throw new ApiError(400, problems);
  const optional = { ...(priority === undefined ? {} : { priority }), ...(data === undefined ? {} : { data }) };
  return { name, type, content, ttl, proxied, comment, tags: [], settings, ...optional };
}

type Report = (code: number, message: string) => void;

function isRecordType(type: unknown): type is RecordType {
  return recordTypes.some((each) => each === type);
}

function typeProblem(type: unknown): string {
  return typeof type === "string"
    ? `DNS record type "${type}" is invalid; the lab serves ${recordTypes.join(", ")}.`
    : "type is a required field.";
}

function isInside(name: string, zone: string): boolean {
  return (name === zone || name.endsWith(`.${zone}`)) && isHostname(name.replace(/^\*\./, ""));
}

/** Whether a field was sent with a value: callers unset a field by null. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function readTtl(ttl: unknown, proxied: boolean, problem: Report): number {
  if (!isGiven(ttl)) problem(9100, "ttl is a required field.");
  else if (typeof ttl !== "number" || !Number.isInteger(ttl) || (ttl !== 1 && (ttl < 60 || ttl > 86_400)))
    problem(9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic.");
  // The real service makes it 1 without a word, which then shows as drift in every preview.
  else if (proxied && ttl !== 1) problem(9021, "TTL must be 1 (Automatic) when the record is proxied.");
  return ttl as number;
}

function readPriority(type: RecordType, priority: unknown, problem: Report): number | undefined {
  if (type !== "MX") {
    if (isGiven(priority)) throw refuse.body(`"priority" is only part of MX records`);
    return undefined;
  }
  if (!isGiven(priority)) problem(9100, "priority is a required field.");
  else if (typeof priority !== "number" || !Number.isInteger(priority) || priority < 0 || priority > 65_535)
    problem(9008, "Invalid priority, priority must be set and be between 0 and 65535");
  return priority as number;
}

function readCaa(data: unknown, problem: Report): CaaData {
  const { flags, tag, value } = (typeof data === "object" && data !== null ? data : {}) as Partial<CaaData>;
  for (const [key, each] of Object.entries({ flags, tag, value }))
    if (!isGiven(each)) problem(9101, `${key} is a required data field.`);
  // The provider's schema allows text here and sends it on.
  const number = typeof flags === "string" && /^\d+$/.test(flags) ? Number(flags) : flags;
  if (isGiven(flags) && !(Number.isInteger(number) && Number(number) >= 0 && Number(number) <= 255))
    problem(9101, "flags must be a number between 0 and 255.");
  if (isGiven(tag) && !["issue", "issuewild", "iodef"].includes(tag ?? ""))
    problem(9101, "tag must be issue, issuewild or iodef.");
  return { flags: Number(number), tag: tag ?? "", value: value ?? "" };
}

function readContent(type: RecordType, content: unknown, name: string, problem: Report): string {
  if (typeof content !== "string" || content === "") {
    problem(9100, "content is a required field.");
    return "";
  }
  const host = content.toLowerCase().replace(/\.$/, "");
  switch (type) {
    case "A":
      if (!isIPv4(content)) problem(9005, "Content for A record must be a valid IPv4 address.");
      return content;
    case "AAAA":
      if (!isIPv6(content) || content.includes("%")) {
        problem(9006, "Content for AAAA record must be a valid IPv6 address.");
        return content;
      }
      return new URL(`http://[${content}]`).hostname.slice(1, -1);
    case "CNAME":
      if (!isHostname(host) || host === name) problem(9007, "Content for CNAME record is invalid.");
      return host;
    case "MX":
      if (!isHostname(host) && content !== ".")
        problem(9009, "Change the content of your MX record to be a hostname (and not an IP address).");
      return content === "." ? content : host;
    default:
      // Documented as quoted strings; unquoted text, which certbot's plugin sends, is taken too.
      if (Buffer.byteLength(content) > 4096)
        problem(9015, "Record content exceeds the allowed length of 4096 wire format bytes.");
      return content;
  }
}

function readSettings(settings: unknown, type: RecordType): Record<string, boolean> {
  if (!isGiven(settings)) return {};
  const known = ["ipv4_only", "ipv6_only", ...(type === "CNAME" ? ["flatten_cname"] : [])];
  for (const [key, value] of Object.entries(settings as object)) {
    if (!known.includes(key)) throw refuse.body(`unknown setting "${key}" of ${type} records`);
    if (typeof value !== "boolean") throw refuse.body(`setting "${key}" must be true or false`);
    if (value) throw refuse.body(`setting "${key}" is not part of the lab`);
  }
  return settings as Record<string, boolean>;
}
