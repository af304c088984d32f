import { isIP } from "node:net";
import { z } from "zod";
import { ApiError, type Problem } from "./errors.ts";
import { isHostname } from "./record.ts";

export type Body = Readonly<Record<string, unknown>>;

/** How a family of calls words that a field is wrong. */
export type Complaint = (path: readonly (string | number)[], message: string) => Problem;

/**
 * The body, refused with every problem at once unless it has the documented form.
 * A null counts as left out, at any depth, unless `nulls` says that it means something.
 */
export function bodyOf<T>(schema: z.ZodType<T>, body: Body, complain: Complaint, nulls = false): T {
  const parsed = schema.safeParse(nulls ? body : withoutNulls(body));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    if (issue.code !== "unrecognized_keys") return complain(path, issue.message);
    return complain([...path, ...issue.keys.slice(0, 1)], "unknown field");
  });
  throw new ApiError(400, problems);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(given.map(([key, each]) => [key, withoutNulls(each)]));
}

export const hexId = z.string().regex(/^[0-9a-f]{32}$/, { error: "value must be a 32-character hexadecimal string" });
export const text = z.string().min(1);
export const hostname = z.string().refine((name) => isHostname(name.toLowerCase()), { error: "not a host name" });
export const address = z
  .string()
  .refine((value) => isIP(value) !== 0 || isHostname(value.toLowerCase()), { error: "not an IP address or host name" });
/** As Go writes durations: `24h`, `30m`, `1h30m`. */
export const duration = z.string().regex(/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/, { error: "not a duration" });
