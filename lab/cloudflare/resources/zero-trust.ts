import { randomBytes } from "node:crypto";
import { z } from "zod";
import { collectionRoutes } from "../collection.ts";
import { one, type ApiError } from "../errors.ts";
import type { Call, Route } from "../route.ts";
import { duration, text, type Complaint } from "../schema.ts";
import { labAccount, timestamp, type Stored } from "../store.ts";

const appsPath = "access/apps";
const policiesPath = "access/policies";
const tokensPath = "access/service_tokens";
const apps = "Access: Apps and Policies";

const invalid = (message: string): ApiError => one(400, 12_130, `access.api.error.invalid_request: ${message}`);
const complain: Complaint = (path, message) => ({
  code: 12_130,
  message: `access.api.error.invalid_request: ${path.join(".")} ${message}`,
});
const missing = (kind: string) => () => one(404, 11_021, `access.api.error.not_found: ${kind} not found`);

/** One way to tell a visitor; a rule has a list of them. */
const selector = z
  .strictObject({
    email: z.strictObject({ email: z.email({ error: "is not an e-mail address" }) }),
    email_domain: z.strictObject({ domain: text }),
    ip: z.strictObject({
      ip: z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], { error: "is not an address or range" }),
    }),
    geo: z.strictObject({ country_code: z.string().regex(/^[A-Z]{2}$/, { error: "is not a country code" }) }),
    service_token: z.strictObject({ token_id: text }),
    any_valid_service_token: z.strictObject({}),
    everyone: z.strictObject({}),
  })
  .partial()
  .refine((each) => Object.keys(each).length === 1, {
    error: "must have exactly one selector",
  });

const policy = z.strictObject({
  name: text,
  decision: z.enum(["allow", "deny", "non_identity", "bypass"]),
  include: z.array(selector).min(1, { error: "must have at least one rule" }),
  exclude: z.array(selector).default([]),
  require: z.array(selector).default([]),
  session_duration: duration.default("24h"),
  approval_required: z.boolean().default(false),
  isolation_required: z.boolean().default(false),
  purpose_justification_required: z.boolean().default(false),
  purpose_justification_prompt: z.string().optional(),
});

const policies = collectionRoutes({
  path: policiesPath,
  group: apps,
  id: "uuid",
  schema: policy,
  complain,
  missing: missing("policy"),
  refuse: ({ include, exclude, require, decision }, call) => {
    const rules = [...include, ...exclude, ...require];
    const known = call.store.objects(labAccount.id, tokensPath);
    for (const { service_token } of rules)
      if (service_token && !known.some(({ id }) => id === service_token.token_id))
        throw invalid(`service token ${service_token.token_id} does not exist`);
    const personal = rules.some((each) => each.email !== undefined || each.email_domain !== undefined);
    if (personal && (decision === "non_identity" || decision === "bypass"))
      throw invalid(`a policy with decision ${decision} cannot have identity-based rules`);
  },
  complete: (wanted, _call, before) => ({ ...wanted, reusable: true, ...dates(before) }),
  show: (object, call) => ({ ...object, app_count: usersOf(call, object.id).length }),
  refuseRemoval: ({ id }, call) => {
    const [user] = usersOf(call, id);
    if (user) throw invalid(`policy is in use by application "${String(user["name"])}"`);
  },
});

const application = z.strictObject({
  type: z.enum(["self_hosted"], { error: "must be self_hosted: other types are not part of the lab" }),
  name: text,
  domain: z.string().optional(),
  destinations: z.array(z.strictObject({ type: z.enum(["public"]).default("public"), uri: text })).optional(),
  self_hosted_domains: z.array(text).optional(),
  policies: z.array(z.strictObject({ id: z.uuid(), precedence: z.int().min(1) })).default([]),
  session_duration: duration.default("24h"),
  allowed_idps: z.array(z.never({ error: "do not exist in the lab" })).default([]),
  tags: z.array(z.never({ error: "do not exist in the lab" })).default([]),
  app_launcher_visible: z.boolean().default(true),
  auto_redirect_to_identity: z.boolean().default(false),
  enable_binding_cookie: z.boolean().default(false),
  http_only_cookie_attribute: z.boolean().default(true),
  path_cookie_attribute: z.boolean().default(false),
  same_site_cookie_attribute: z.enum(["none", "lax", "strict"]).optional(),
  options_preflight_bypass: z.boolean().default(false),
  service_auth_401_redirect: z.boolean().default(false),
  skip_interstitial: z.boolean().default(false),
  allow_iframe: z.boolean().default(false),
  allow_authenticate_via_warp: z.literal(false).optional(),
  custom_deny_message: z.string().optional(),
  custom_deny_url: z.url().optional(),
  custom_non_identity_deny_url: z.url().optional(),
  logo_url: z.url().optional(),
});

const applications = collectionRoutes({
  path: appsPath,
  group: apps,
  id: "uuid",
  schema: application,
  complain,
  missing: missing("application"),
  refuse: (wanted, call, before) => {
    const places = placesOf(wanted);
    if (places.length === 0) throw invalid("domain or destinations are required");
    if (wanted.domain !== undefined && !places.includes(wanted.domain))
      throw invalid("domain must be one of the destinations");
    for (const place of places) if (!isOwn(call, place)) throw invalid(`domain ${place} does not belong to zone`);
    const others = call.store.objects(call.scope, appsPath).filter(({ id }) => id !== before?.id);
    if (others.some((each) => (each["self_hosted_domains"] as string[]).some((place) => places.includes(place))))
      throw one(400, 11_010, "access.api.error.application_already_exists");
    const known = call.store.objects(labAccount.id, policiesPath);
    for (const { id } of wanted.policies)
      if (!known.some((each) => each.id === id)) throw invalid(`policy ${id} does not exist`);
    const order = wanted.policies.map(({ precedence }) => precedence);
    if (new Set(order).size < order.length) throw invalid("policy precedences must be unique");
  },
  complete: (wanted, _call, before) => {
    const places = placesOf(wanted);
    return {
      ...wanted,
      domain: wanted.domain ?? places[0],
      self_hosted_domains: places,
      destinations: places.map((uri) => ({ type: "public", uri })),
      aud: before?.["aud"] ?? randomBytes(32).toString("hex"),
      ...dates(before),
    };
  },
  // The policies as a whole, as everywhere in the real answers.
  show: (object, call) => {
    const known = call.store.objects(labAccount.id, policiesPath);
    const used = object["policies"] as { id: string; precedence: number }[];
    const policies = used.map((each) => ({ ...known.find(({ id }) => id === each.id), ...each }));
    return { ...object, uid: object.id, policies };
  },
});

const serviceTokens = collectionRoutes({
  path: tokensPath,
  group: "Access: Service Tokens",
  id: "uuid",
  schema: z.strictObject({
    name: text,
    duration: duration.or(z.literal("forever")).default("8760h"),
    client_secret_version: z.literal(1, { error: "is not part of the lab beyond 1" }).default(1),
  }),
  complain,
  missing: missing("service token"),
  complete: (wanted, _call, before) => ({
    name: wanted.name,
    duration: wanted.duration,
    client_id: before?.["client_id"] ?? `${randomBytes(16).toString("hex")}.access`,
    expires_at: new Date(Date.now() + hoursOf(wanted.duration) * 3_600_000).toISOString(),
    ...dates(before),
  }),
  // Told once: nobody can ask for it again.
  once: () => ({ client_secret: randomBytes(32).toString("hex") }),
  refuseRemoval: ({ id }, call) => {
    const users = call.store.objects(labAccount.id, policiesPath).filter((each) => JSON.stringify(each).includes(id));
    if (users[0]) throw invalid(`service token is in use by policy "${String(users[0]["name"])}"`);
  },
});

/** Below zones and accounts alike. */
export const accessRoutes: readonly Route[] = [...applications, ...serviceTokens];
/** Policies that several applications share are the account's alone. */
export const accessPolicyRoutes: readonly Route[] = policies;

/** `host/path` of everything that an application protects. */
function placesOf(wanted: z.output<typeof application>): string[] {
  if (wanted.destinations) return wanted.destinations.map(({ uri }) => uri);
  return wanted.self_hosted_domains ?? (wanted.domain === undefined ? [] : [wanted.domain]);
}

function isOwn({ store, zone }: Call, place: string): boolean {
  const host = (place.split("/")[0] ?? "").replace(/^\*\./, "");
  return (zone ? [zone] : store.zones).some(({ name }) => host === name || host.endsWith(`.${name}`));
}

function usersOf({ store }: Call, policyId: string): Stored[] {
  const all = [labAccount, ...store.zones].flatMap(({ id }) => store.objects(id, appsPath));
  return all.filter((app) => (app["policies"] as { id: string }[]).some(({ id }) => id === policyId));
}

function hoursOf(length: string): number {
  return length === "forever" ? 100 * 8760 : Number.parseFloat(/^(\d+)h/.exec(length)?.[1] ?? "1");
}

function dates(before: Stored | undefined): { created_at: unknown; updated_at: string } {
  const now = timestamp();
  return { created_at: before?.["created_at"] ?? now, updated_at: now };
}
