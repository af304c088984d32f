import { misfits, object } from "../framework/shape.ts";
import { unknown } from "../framework/types.ts";
import type { CheckFailure, Properties, ResourceType } from "../framework/types.ts";
import { ApiFailure, type Caller, type Client } from "./client.ts";
import { dnsRecordDiff } from "./dns-record-diff.ts";
import { inputs } from "./dns-record-inputs.ts";
import { camelCase, given, rename, snakeCase, splitImportId } from "./fields.ts";

/** Inputs that go into the body of a request, with null where an update takes one away. */
const sent = ["comment", "content", "data", "name", "priority", "privateRouting", "settings", "tags", "ttl", "type"];

/** What the API adds or completes. */
const computed = [
  ...["commentModifiedOn", "content", "createdOn", "includeShadowMetadata", "meta", "modifiedOn", "proxiable"],
  ...["proxied", "settings", "tags", "tagsModifiedOn"],
];
const properties = [...Object.keys(inputs), ...computed];

/** `cloudflare.DnsRecord`. */
export const dnsRecord: ResourceType<Client> = {
  computed,
  volatile: ["commentModifiedOn", "modifiedOn"],
  check(news) {
    const failures = misfits(object(inputs), news);
    return { inputs: news, failures: failures.length > 0 ? failures : contradictions(news) };
  },
  diff: ({ olds, news }) => dnsRecordDiff(olds, news),
  async create(news, { client, ...caller }) {
    if (news["proxied"] === true && news["ttl"] !== 1)
      throw new Error(
        "ttl must be set to 1 when `proxied` is true: " +
          "When a DNS record is marked as `proxied` the TTL must be 1 as Cloudflare will control the TTL internally.",
      );
    const path = records(news);
    const result = await client.call({ method: "POST", path, body: body(news) }, caller);
    return { id: String(result["id"]), outputs: { ...outputs(result, news), ...news } };
  },
  async read(id, olds, oldInputs, { client, ...caller }) {
    const imported = olds["zoneId"] === undefined;
    const [zoneId, recordId] = imported ? splitImportId(id, "<zone_id>/<dns_record_id>") : [String(olds["zoneId"]), id];
    const result = await find(client, caller, { ...olds, zoneId }, recordId);
    if (!result) return undefined;
    const live = outputs(result, { ...olds, zoneId });
    const keys = imported ? Object.keys(inputs).filter((key) => isWorthImporting(key, live)) : Object.keys(oldInputs);
    return { id: recordId, outputs: live, inputs: given(Object.fromEntries(keys.map((key) => [key, live[key]]))) };
  },
  async update({ id, olds, news }, { client, ...caller }) {
    const path = `${records(news)}/${id}`;
    const whole = body(news, olds);
    const result = await client.call({ method: "PUT", path, body: whole }, caller);
    return { ...outputs(result, news), ...news };
  },
  async delete(id, olds, { client, ...caller }) {
    await client.call({ method: "DELETE", path: `${records(olds)}/${id}` }, caller);
  },
};

/** What the real provider's schema refuses besides wrong types; ttl and proxied together are its create's business. */
function contradictions(news: Properties): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const fail = (property: string, reason: string) => failures.push({ property, reason });
  if (news["data"] !== undefined && news["content"] !== undefined)
    fail("data", "cannot be specified together with content");
  const priority = news["priority"];
  if (typeof priority === "number" && (priority < 0 || priority > 65_535))
    fail("priority", `must be between 0 and 65535, got ${priority}`);
  const flags = (news["data"] as Properties | undefined)?.["flags"];
  if (flags !== undefined && flags !== unknown && typeof flags !== "number" && typeof flags !== "string")
    fail("data.flags", "must be a number or a string");
  return failures;
}

function records(properties: Properties): string {
  return `zones/${String(properties["zoneId"])}/dns_records`;
}

function body(news: Properties, olds: Properties = {}): Properties {
  const whole: Properties = { proxied: news["proxied"] ?? false };
  for (const key of sent) {
    // Content that the API made from `data`, tags and settings stay when the program no longer names them.
    const kept = ["content", "settings", "tags"].includes(key);
    const value = news[key] ?? (olds[key] === undefined || kept ? undefined : null);
    if (value !== undefined) whole[snakeCase(key)] = rename(value, snakeCase);
  }
  return whole;
}

async function find(client: Client, caller: Caller, olds: Properties, id: string): Promise<Properties | undefined> {
  const query = olds["includeShadowMetadata"] === true ? "?include_shadow_metadata=true" : "";
  try {
    const path = `${records(olds)}/${id}${query}`;
    return await client.call({ method: "GET", path }, caller);
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 404) return undefined;
    throw error;
  }
}

/** The resource as the API describes it; what only the program knows is taken from `known`. */
function outputs(result: Properties, known: Properties): Properties {
  const live = Object.entries(given(result))
    .map(([key, value]) => [camelCase(key), rename(value, camelCase)] as const)
    .filter(([key]) => properties.includes(key));
  // An alias always has all three settings, whatever the API leaves out.
  const defaults = result["type"] === "CNAME" ? { flattenCname: false, ipv4Only: false, ipv6Only: false } : {};
  return {
    ...Object.fromEntries(live),
    meta: JSON.stringify(result["meta"] ?? {}),
    settings: { ...defaults, ...(rename(result["settings"], camelCase) as Properties | undefined) },
    includeShadowMetadata: known["includeShadowMetadata"] ?? false,
    zoneId: known["zoneId"],
  };
}

/** An import takes over what the program would have to write to get the same record. */
function isWorthImporting(key: string, live: Properties): boolean {
  const value = live[key];
  if (key === "content") return live["data"] === undefined;
  if (key === "settings") return Object.values(value as Properties).some((each) => each === true);
  if (key === "tags") return (value as unknown[] | undefined)?.length !== 0;
  return value !== false;
}
