import { z } from "zod";
import { singleRoutes } from "../collection.ts";
import { one, refuse } from "../errors.ts";
import { limits } from "../plans.ts";
import { zoneOf, type ApiAnswer, type Call, type Route } from "../route.ts";
import { bodyOf, text } from "../schema.ts";
import { timestamp, type Zone } from "../store.ts";

const onOff = z.strictObject({ value: z.enum(["on", "off"]) });

/** The switches of the cache: `off` until somebody turns them on. */
const switches = ["cache/tiered_cache_smart_topology_enable", "cache/regional_tiered_cache", "argo/tiered_caching"];

const switchRoutes = switches.flatMap((path) =>
  singleRoutes({
    path,
    group: "Zone Settings",
    change: "PATCH",
    schema: onOff,
    initial: () => ({ value: "off" }),
    removable: path === "cache/tiered_cache_smart_topology_enable",
    refuse: ({ value }, call) => {
      if (
        path === "cache/regional_tiered_cache" &&
        value === "on" &&
        !limits[zoneOf(call).plan ?? "business"].enterprise
      )
        throw one(403, 1139, "Regional Tiered Cache is not available for your plan");
    },
    show: ({ value }, modified) => ({ id: path.split("/")[1] ?? "", value, editable: true, modified_on: modified }),
  }),
);

const url = z.url({ protocol: /^https?$/, error: "not a URL" });
const some = (items: z.ZodType, most: number) => z.array(items).min(1).max(most);

/** What a purge may name: one of these. */
const purge = (urls: number) =>
  z.strictObject({
    purge_everything: z.literal(true).optional(),
    files: some(
      z.union([url, z.strictObject({ url, headers: z.record(text, z.string()).optional() })]),
      urls,
    ).optional(),
    tags: some(text.max(1024), 100).optional(),
    hosts: some(text, 100).optional(),
    prefixes: some(text, 100).optional(),
  });

export const cachingRoutes: readonly Route[] = [
  ...switchRoutes,
  { path: "purge_cache", methods: { POST: { permissions: ["Cache Purge"], answer: purgeCache } } },
];

function purgeCache(call: Call): ApiAnswer {
  const zone = zoneOf(call);
  const wanted = bodyOf(purge(limits[zone.plan ?? "business"].purgeUrls), call.request.body(), refuse.field);
  if (Object.keys(wanted).length !== 1)
    throw one(400, 1095, "Exactly one of purge_everything, files, tags, hosts and prefixes must be given");
  for (const file of (wanted.files ?? []) as (string | { url: string })[]) {
    const place = new URL(typeof file === "string" ? file : file.url);
    if (!isInside(place.hostname, zone)) throw one(400, 1110, `Invalid file URL: ${place.href} is not in this zone`);
  }
  for (const host of (wanted.hosts ?? []) as string[])
    if (!isInside(host, zone)) throw one(400, 1110, `Invalid host: ${host} is not in this zone`);
  for (const prefix of (wanted.prefixes ?? []) as string[]) {
    if (/^[a-z]+:\/\//.test(prefix)) throw one(400, 1110, `Invalid prefix: ${prefix} must not have a scheme`);
    if (!isInside(prefix.split("/")[0] ?? "", zone))
      throw one(400, 1110, `Invalid prefix: ${prefix} is not in this zone`);
  }
  // Nothing is cached in the lab; what was purged is kept for whoever asks, see `GET /lab/purges`.
  call.store.put(zone.id, "purges", {
    id: `${timestamp()}-${call.store.objects(zone.id, "purges").length}`,
    ...wanted,
  });
  return { result: { id: zone.id } };
}

function isInside(host: string, { name }: Zone): boolean {
  return host === name || host.endsWith(`.${name}`);
}
