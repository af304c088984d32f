import { isEqual } from "../framework/diff.ts";
import { unknown } from "../framework/types.ts";
import type { Diff, Properties } from "../framework/types.ts";

type Same = (live: unknown, wanted: unknown, resource: { olds: Properties; news: Properties }) => boolean;

const empty = (value: unknown) => value === undefined || value === "";
/** Left out by the program, the property keeps what the API says. */
const orKept =
  (same: Same): Same =>
  (live, wanted, resource) =>
    wanted === undefined || same(live, wanted, resource);

/** When a property of the stored record and the wanted one count as the same, as in the real provider's plan. */
const same: Readonly<Record<string, Same>> = {
  zoneId: isEqual,
  type: isEqual,
  name: sameName,
  content: orKept(sameContent),
  data: sameData,
  ttl: isEqual,
  proxied: (live, wanted) => isEqual(live ?? false, wanted ?? false),
  priority: isEqual,
  comment: (live, wanted) => (empty(live) && empty(wanted)) || isEqual(live, wanted),
  privateRouting: isEqual,
  tags: orKept((live, wanted) => isEqual(sorted(live), sorted(wanted))),
  settings: orKept(sameSettings),
  includeShadowMetadata: orKept(isEqual),
};

const replaced = ["zoneId", "type"];

/** Compares the stored state, which a refresh brings up to date, with what the program wants. */
export function dnsRecordDiff(olds: Properties, news: Properties): Diff {
  const changes = Object.entries(same)
    .filter(([key, isSame]) => news[key] === unknown || !isSame(olds[key], news[key], { olds, news }))
    .map(([key]) => key);
  return { changes, replaces: changes.filter((key) => replaced.includes(key)), deleteBeforeReplace: false };
}

/** The API gives complete names; the program may have written `@` or a name without the zone. */
function sameName(live: unknown, wanted: unknown): boolean {
  if (typeof live !== "string" || typeof wanted !== "string") return isEqual(live, wanted);
  const [stored, planned] = [live.replace(/\.$/, ""), wanted.replace(/\.$/, "")];
  return planned === stored || (planned === "@" && stored.includes(".")) || stored.startsWith(`${planned}.`);
}

function sameContent(live: unknown, wanted: unknown, { news }: { news: Properties }): boolean {
  if (news["type"] === "CNAME" && typeof live === "string" && typeof wanted === "string")
    return live.toLowerCase() === wanted.toLowerCase();
  return isEqual(live, wanted);
}

/** Only the named parts count; `flags` may be a number or text. */
function sameData(live: unknown, wanted: unknown): boolean {
  if (wanted === undefined || live === undefined) return wanted === live;
  const [stored, planned] = [live as Properties, wanted as Properties];
  return [...new Set([...Object.keys(stored), ...Object.keys(planned)])].every((key) =>
    key === "flags" && planned[key] !== unknown
      ? String(stored[key]) === String(planned[key])
      : isEqual(stored[key], planned[key]),
  );
}

/** A setting that is not named is off, or whatever it is when none is named. */
function sameSettings(live: unknown, wanted: unknown): boolean {
  const stored = (live ?? {}) as Properties;
  return Object.entries(wanted as Properties).every(([key, value]) => isEqual(stored[key] ?? false, value ?? false));
}

function sorted(values: unknown): unknown {
  return Array.isArray(values) ? [...(values as unknown[])].sort() : [];
}
