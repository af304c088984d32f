import { refuse } from "./errors.ts";
import type { DnsRecord } from "./record.ts";

export interface Page<T> {
  readonly result: readonly T[];
  readonly result_info: {
    readonly page: number;
    readonly per_page: number;
    readonly count: number;
    readonly total_count: number;
    readonly total_pages: number;
  };
}

const orders = ["type", "name", "content", "ttl", "proxied"] as const;
const ways = ["exact", "contains", "startswith", "endswith"] as const;
const texts = ["name", "content", "comment"] as const;

/** The records of a zone that a list request asks for; a filter the lab doesn't know is refused, not ignored. */
export function listRecords(records: readonly DnsRecord[], query: URLSearchParams): Page<DnsRecord> {
  const filters: ((record: DnsRecord) => boolean)[] = [];
  for (const [key, value] of query) {
    const filter = recordFilter(key, value);
    if (filter) filters.push(filter);
  }
  const any = oneOf(query, "match", ["all", "any"]) === "any" && filters.length > 0;
  const found = records.filter((record) =>
    any ? filters.some((filter) => filter(record)) : filters.every((filter) => filter(record)),
  );
  const order = oneOf(query, "order", orders);
  if (order) found.sort((a, b) => (a[order] < b[order] ? -1 : a[order] > b[order] ? 1 : 0));
  if (oneOf(query, "direction", ["asc", "desc"]) === "desc") found.reverse();
  return page(found, query, { usual: 100, most: 5_000_000 });
}

export function page<T>(found: readonly T[], query: URLSearchParams, size: { usual: number; most: number }): Page<T> {
  const number = wholeNumber(query, "page", 1, Number.MAX_SAFE_INTEGER) ?? 1;
  const perPage = wholeNumber(query, "per_page", 1, size.most) ?? size.usual;
  const result = found.slice((number - 1) * perPage, number * perPage);
  const total = found.length;
  return {
    result,
    result_info: {
      page: number,
      per_page: perPage,
      count: result.length,
      total_count: total,
      total_pages: Math.ceil(total / perPage),
    },
  };
}

function recordFilter(key: string, value: string): ((record: DnsRecord) => boolean) | undefined {
  if (["match", "order", "direction", "page", "per_page"].includes(key)) return undefined;
  if (key === "type") return (record) => record.type === value;
  if (key === "proxied") return (record) => String(record.proxied) === value;
  if (key === "comment.absent") return (record) => record.comment === null;
  if (key === "comment.present") return (record) => record.comment !== null;
  const [field, way = "exact"] = key.split(".");
  const text = texts.find((each) => each === field);
  if (!text || !ways.some((each) => each === way)) throw refuse.query(`unknown parameter "${key}"`);
  const wanted = value.toLowerCase();
  const test: Record<string, (found: string) => boolean> = {
    exact: (found) => found === wanted,
    contains: (found) => found.includes(wanted),
    startswith: (found) => found.startsWith(wanted),
    endswith: (found) => found.endsWith(wanted),
  };
  return (record) => test[way]?.((record[text] ?? "").toLowerCase()) ?? false;
}

function oneOf<const T extends string>(query: URLSearchParams, key: string, allowed: readonly T[]): T | undefined {
  const value = query.get(key);
  if (value === null) return undefined;
  const found = allowed.find((each) => each === value);
  if (!found) throw refuse.query(`"${key}" must be one of ${allowed.join(", ")}`);
  return found;
}

function wholeNumber(query: URLSearchParams, key: string, least: number, most: number): number | undefined {
  const value = query.get(key);
  if (value === null) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < least || Number(value) > most)
    throw refuse.query(`"${key}" must be a number between ${least} and ${most}`);
  return Number(value);
}
