import { z } from "zod";
import { one, refuse } from "../errors.ts";
import { page } from "../list.ts";
import { plans } from "../plans.ts";
import { zoneOf, type ApiAnswer, type ApiRequest, type Call, type Route } from "../route.ts";
import { labAccount, type Store, type Zone } from "../store.ts";
import { bodyOf } from "../schema.ts";
import { demand, reading, type Token } from "../tokens.ts";

const nameServers = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"];
/** The names under which plans are sold, by ours. */
const planNames = {
  free: "Free Website",
  pro: "Pro Website",
  business: "Business Website",
  enterprise: "Enterprise Website",
};

/** What may change about a zone, one property in a call. */
const change = z.strictObject({
  paused: z.boolean().optional(),
  type: z.enum(["full", "partial", "secondary", "internal"]).optional(),
  vanity_name_servers: z.array(z.string()).optional(),
});

export const zoneRoutes: readonly Route[] = [
  {
    path: "",
    methods: {
      GET: { permissions: reading("Zone"), answer: (call) => ({ result: describe(call.store, zoneOf(call)) }) },
      PATCH: { permissions: ["Zone Write"], answer: edit },
      DELETE: { permissions: ["Zone Write"], answer: remove },
    },
  },
];

/** `zones` itself, where neither a zone nor an account is named in the path. */
export function answerZones(request: ApiRequest, token: Token, store: Store): ApiAnswer {
  if (request.method === "POST") return create(request, token, store);
  if (request.method !== "GET") throw refuse.method();
  demand(token, ...reading("Zone"));
  const known = ["name", "page", "per_page", "status", "account.id", "order", "direction", "match"];
  for (const key of request.query.keys()) if (!known.includes(key)) throw refuse.query(`unknown parameter "${key}"`);
  const wanted = request.query.get("name");
  const found = store.zones.filter(({ name }) => wanted === null || name === wanted);
  return page(
    found.map((zone) => describe(store, zone)),
    request.query,
    { usual: 20, most: 50 },
  );
}

/** The lab's zones are made when it starts; nobody registers another. */
function create(request: ApiRequest, token: Token, store: Store): never {
  demand(token, "Zone Write");
  const name = request.body()["name"];
  if (store.zones.some((zone) => zone.name === name)) throw one(400, 1061, `${String(name)} already exists`);
  throw one(
    403,
    0,
    'Requires permission "com.cloudflare.api.account.zone.create" to create zones for the selected account',
  );
}

function edit(call: Call): ApiAnswer {
  const zone = zoneOf(call);
  const wanted = bodyOf(change, call.request.body(), refuse.field);
  if (Object.keys(wanted).length !== 1) throw one(400, 1006, "Only one zone property can be changed at a time");
  if (wanted.type !== undefined && wanted.type !== "full") throw one(400, 1246, "The lab's zones are full zones");
  if (wanted.vanity_name_servers?.length) throw one(400, 1144, "Custom name servers are not allowed for this zone");
  if (wanted.paused !== undefined) call.store.set(zone.id, "zone/paused", wanted.paused);
  return { result: describe(call.store, zone) };
}

function remove(call: Call): ApiAnswer {
  call.store.removeZone(call.scope);
  return { result: { id: call.scope } };
}

function describe(store: Store, zone: Zone): Record<string, unknown> {
  const plan = zone.plan ?? "business";
  return {
    id: zone.id,
    name: zone.name,
    status: "active",
    paused: store.setting(zone.id, "zone/paused")?.value ?? false,
    type: "full",
    development_mode: 0,
    name_servers: nameServers,
    original_name_servers: null,
    original_registrar: null,
    original_dnshost: null,
    created_on: "2024-01-01T00:00:00.000000Z",
    modified_on: "2024-01-01T00:00:00.000000Z",
    activated_on: "2024-01-01T00:00:00.000000Z",
    meta: { step: 2, custom_certificate_quota: 0, page_rule_quota: 3, phishing_detected: false },
    owner: { id: null, type: "user", email: null },
    account: { id: labAccount.id, name: labAccount.name },
    tenant: { id: null, name: null },
    tenant_unit: { id: null },
    permissions: ["#zone:read", "#zone:edit", "#dns_records:read", "#dns_records:edit"],
    plan: {
      id: `0feeeeeeeeeeeeeeeeeeeeeeeeeeee0${plans.indexOf(plan)}`,
      name: planNames[plan],
      price: 0,
      currency: "USD",
      frequency: "",
      is_subscribed: plan !== "free",
      can_subscribe: true,
      legacy_id: plan,
      legacy_discount: false,
      externally_managed: false,
    },
  };
}
